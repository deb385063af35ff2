"""Visual information fidelity in the pixel domain."""

import torch
from jaxtyping import Float
from torch import Tensor

from imgqa.metrics.color_axes import luma
from imgqa.metrics.gaussian_window import gaussian_mean
from imgqa.metrics.image_pair import image_pair

WINDOWS = (17, 9, 5, 3)  # one a scale, each with sigma = width / 5
NOISE = 2.0  # variance of the eye's noise, in squared grey levels of 255
TINY = 1e-10
SMALLEST = 41  # after three filterings and halvings the last window still fits


def vifp(image: Float[Tensor, "b 3 h w"], reference: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
    """VIFp: share of the reference's visual information that the image keeps. Higher is better.

    1 for equal images, 0 where nothing is kept, above 1 where contrast was raised. With the local model
    image = g * reference + noise of variance s_v^2, on luma at four scales:

        sum log(1 + g^2 s_ref^2 / (s_v^2 + 2)) / sum log(1 + s_ref^2 / 2)

    Source: Sheikh, Bovik, "Image information and visual quality", IEEE TIP 15(2), 2006, and the authors' program
    vifp_mscale.m, whose thresholds for regions without variance are kept (piq has 1e-8 for its 1e-10). A flat reference
    holds no information, and 0 / 0 is the program's value; here it is 1 if the image is flat too, else 0.

    Args:
        image: values in [0, 1].
        reference: values in [0, 1].

    Raises:
        InputError: below 41 x 41 pixels, no colour, or different shapes.
    """
    image, reference = image_pair("VIFp", image, reference, smallest=SMALLEST)
    x, y = 255 * luma(image)[:, None], 255 * luma(reference)[:, None]
    # Variances do not know of a constant, but the smaller the values, the fewer digits are lost in E[x^2] - E[x]^2.
    x, y = (plane - plane.mean(dim=(2, 3), keepdim=True).detach() for plane in (x, y))
    flat_image = x.abs().amax(dim=(1, 2, 3)) < 1e-3  # the mean of equal values may differ from them by rounding
    kept, total = x.new_zeros(len(x)), x.new_zeros(len(x))
    for scale, width in enumerate(WINDOWS):
        if scale > 0:
            x, y = gaussian_mean(torch.cat([x, y]), width, width / 5)[:, :, ::2, ::2].chunk(2)
        kept_here, total_here = _information(x, y, width)
        kept, total = kept + kept_here, total + total_here
    flat = total == 0
    return torch.where(flat, flat_image.to(x.dtype), kept / torch.where(flat, 1.0, total))


def _information(x: Tensor, y: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """What the image x keeps of the information in the reference y, and that information itself, at one scale."""
    stacked = torch.cat([x, y, x.square(), y.square(), x * y])
    mean_x, mean_y, square_x, square_y, product = gaussian_mean(stacked, width, width / 5).chunk(5)
    var_x = (square_x - mean_x.square()).relu()
    var_y = (square_y - mean_y.square()).relu()
    covariance = product - mean_x * mean_y
    gain = covariance / (var_y + TINY)
    noise = var_x - gain * covariance
    # Nothing to keep, nothing kept, or kept with the opposite sign: all of the image's variance is noise.
    usable = (var_y >= TINY) & (var_x >= TINY) & (gain >= 0)
    gain = torch.where(usable, gain, 0.0)
    noise = torch.where(usable, noise, var_x).clamp_min(TINY)
    var_y = torch.where(var_y >= TINY, var_y, 0.0)
    kept = torch.log1p(gain.square() * var_y / (noise + NOISE))
    return kept.sum(dim=(1, 2, 3)), torch.log1p(var_y / NOISE).sum(dim=(1, 2, 3))
