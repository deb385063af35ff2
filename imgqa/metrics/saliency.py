"""Visual saliency by simple priors."""

from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

SIDE = 256
CENTRE_FREQUENCY, BANDWIDTH = 0.021, 1.34  # of the log-Gabor filter, in cycles a pixel
CENTRE_SPREAD = 145.0  # pixels
WARMTH_SPREAD = 0.001
# sRGB primaries and white D50, the pair that the program has.
XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
WHITE = (0.9642, 1.0, 0.8251)


def saliency(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b h w"]:
    """SDSP: the product of three priors on where people look, scaled to [0, 1] in each image.

    On 256 x 256 pixels in CIE Lab: band-pass energy (log-Gabor), nearness to the centre, and warm colours. A map that
    is the same everywhere becomes 0, where the program has 0 / 0.

    Source: Zhang, Gu, Li, "SDSP: a novel saliency detection method by combining simple priors", ICIP 2013, in the form
    and with the constants of the program of VSI. Its `imresize(..., 'bilinear')` averages when it shrinks
    (antialiasing) and aligns pixel borders, as here; piq skips pixels on the way down and aligns corners on the way up.

    Args:
        images: values in [0, 1].
    """
    lab = _to_lab(_resize(images, (SIDE, SIDE)))
    band, centre = _priors(images.dtype, images.device)
    filtered = torch.fft.ifft2(torch.fft.fft2(lab) * band).real
    energy = filtered.square().sum(dim=1).clamp_min(1e-30).sqrt()
    warmth = _stretch(lab[:, 1:]).square().sum(dim=1)
    prominent = energy * centre * -torch.expm1(-warmth / WARMTH_SPREAD**2)
    return _stretch(_resize(prominent[:, None], tuple(images.shape[2:])))[:, 0]


def _resize(images: Tensor, size: tuple[int, ...]) -> Tensor:
    if images.shape[2:] == size:
        return images
    return F.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=True)


def _stretch(maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Each map from its minimum to its maximum as 0 to 1; a constant one becomes 0."""
    low, high = maps.amin(dim=(2, 3), keepdim=True), maps.amax(dim=(2, 3), keepdim=True)
    # A flat image is flat up to the rounding of resizing, which must not be stretched.
    flat = high - low <= 8 * torch.finfo(maps.dtype).eps * maps.abs().amax(dim=(2, 3), keepdim=True).clamp_min(1)
    return torch.where(flat, 0.0, (maps - low) / torch.where(flat, 1.0, high - low))


def _to_lab(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    # The unused branch of `where` must not have an infinite slope either, hence the floors.
    linear = torch.where(images <= 0.04045, images / 12.92, ((images.clamp_min(0.04) + 0.055) / 1.055) ** 2.4)
    matrix = images.new_tensor(XYZ) / images.new_tensor(WHITE)[:, None]
    xyz = torch.einsum("ij,bjhw->bihw", matrix, linear)
    x, y, z = torch.where(xyz > 0.008856, xyz.clamp_min(0.008) ** (1 / 3), (903.3 * xyz + 16) / 116).unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


@lru_cache(maxsize=4)
def _priors(dtype: torch.dtype, device: torch.device) -> tuple[Float[Tensor, "h w"], Float[Tensor, "h w"]]:
    """Transfer function of the band-pass, zero frequency first, and the nearness to the centre."""
    axis = torch.arange(-SIDE // 2, SIDE // 2, dtype=torch.float64)
    radius = torch.fft.ifftshift(torch.hypot(axis[:, None], axis) / SIDE)
    inside = radius <= 0.5
    radius[0, 0] = 1
    band = torch.exp(-((radius / CENTRE_FREQUENCY).log() ** 2) / (2 * BANDWIDTH**2)) * inside
    band[0, 0] = 0
    # Pixels are counted from 1 and the centre is at 128.
    place = axis + 1
    centre = torch.exp(-(place[:, None] ** 2 + place**2) / CENTRE_SPREAD**2)
    return band.to(device=device, dtype=dtype), centre.to(device=device, dtype=dtype)
