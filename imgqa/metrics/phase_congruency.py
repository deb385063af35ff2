"""Phase congruency: how well the Fourier components of an image agree in phase at a place."""

import math
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

SCALES, ORIENTATIONS = 4, 4
SHORTEST_WAVE, WAVE_STEP = 6.0, 2.0  # pixels; factor from one scale to the next
BANDWIDTH = 0.55  # radial: spread of the log-Gabor function relative to its centre
ANGULAR_SPREAD = math.pi / ORIENTATIONS / 1.2
CUTOFF, ORDER = 0.45, 15  # of the low-pass that keeps the filters out of the corners of the spectrum
NOISE_SIGMAS = 2.0
NOISE_RESCALING = 1.7  # "empirically" for this measure, says the program
EPSILON = 1e-4


def phase_congruency(images: Float[Tensor, "b h w"]) -> Float[Tensor, "b h w"]:
    """Phase congruency PC_2 over four scales and four orientations; in [0, 1], 0 in featureless places.

    With the responses e_s of the log-Gabor filters of one orientation (complex: even and odd part) and u, the unit
    vector of their sum, an orientation has the energy

        E = max(0, sum_s [Re(u* e_s) - |Im(u* e_s)|] - T)

    over a noise threshold T, and PC is the sum of E by the sum of |e_s|, both over all orientations.

    Source: Kovesi, "Image features from phase congruency", Videre 1(3), 1999, in the form and with the constants of
    `phasecong2` in the program of FSIM.

    Args:
        images: grey, in [0, 255].
    """
    filters, noise_gains = _filters(*images.shape[1:], images.dtype, images.device)
    spectrum = torch.fft.fft2(images)[:, None]
    energy, amplitude = torch.zeros_like(images), torch.zeros_like(images)
    # One orientation at a time: a quarter of the memory.
    for bank, noise_gain in zip(filters, noise_gains, strict=True):
        responses = torch.fft.ifft2(spectrum * bank)
        even, odd = responses.real, responses.imag
        squared = even.square() + odd.square()
        total_even, total_odd = even.sum(dim=1), odd.sum(dim=1)
        length = _root(total_even.square() + total_odd.square())
        across = (even * total_odd[:, None] - odd * total_even[:, None]).abs().sum(dim=1)
        # The real parts add up to u* total = |total|.
        agreement = (length.square() - across) / (length + EPSILON)
        threshold = noise_gain * _root(_median(squared[:, 0]))
        energy = energy + (agreement - threshold[:, None, None]).relu()
        amplitude = amplitude + _root(squared).sum(dim=1)
    return energy / amplitude.clamp_min(1e-10)


def _root(squares: Tensor) -> Tensor:
    """The floor keeps the root's infinite slope at 0 out of the backward pass, where it would meet 0 as NaN."""
    return squares.clamp_min(1e-30).sqrt()


def _median(maps: Float[Tensor, "b h w"]) -> Float[Tensor, " b"]:
    """The median of each map, as in MATLAB the mean of the two middle values of an even count."""
    flat = maps.flatten(1)
    count = flat.shape[1]
    lower_half = flat.topk(count // 2 + 1, largest=False, sorted=False).values
    return lower_half.topk(2 - count % 2).values.mean(dim=1)


@lru_cache(maxsize=4)
def _filters(
    height: int, width: int, dtype: torch.dtype, device: torch.device
) -> tuple[Float[Tensor, "orientations scales h w"], tuple[float, ...]]:
    """Transfer functions, zero frequency first, and for each orientation T by the median amplitude at the first scale.

    Noise of power P at the smallest scale has, after all filters of one orientation, the Rayleigh parameter
    tau = sqrt(P) |sum of the filters in space|, and P is estimated from the median of the squared amplitude.
    """
    y, x = torch.meshgrid(_frequencies(height), _frequencies(width), indexing="ij")
    radius, angle = torch.hypot(x, y), torch.atan2(-y, x)
    low_pass = 1 / (1 + (radius / CUTOFF) ** (2 * ORDER))
    radius[0, 0] = 1  # keeps log(0) away; the filters are 0 there
    waves = [SHORTEST_WAVE * WAVE_STEP**scale for scale in range(SCALES)]
    radial = torch.stack(
        [low_pass * torch.exp(-((radius * wave).log() ** 2) / (2 * math.log(BANDWIDTH) ** 2)) for wave in waves]
    )
    radial[:, 0, 0] = 0
    banks, gains = [], []
    for orientation in range(ORIENTATIONS):
        turned = angle - orientation * math.pi / ORIENTATIONS
        distance = torch.atan2(turned.sin(), turned.cos())
        bank = radial * torch.exp(-(distance**2) / (2 * ANGULAR_SPREAD**2))
        in_space = torch.fft.ifft2(bank.sum(dim=0)).real * math.sqrt(height * width)
        # A chi-square variable of two degrees has its median at log(2) of its mean.
        tau = (in_space.square().sum() / (math.log(2) * bank[0].square().sum())).sqrt().item()
        gains.append(tau * (math.sqrt(math.pi / 2) + NOISE_SIGMAS * math.sqrt(2 - math.pi / 2)) / NOISE_RESCALING)
        banks.append(bank)
    return torch.stack(banks).to(device=device, dtype=dtype), tuple(gains)


def _frequencies(size: int) -> Float[Tensor, " size"]:
    """Cycles a pixel as the program has them: of an odd number of pixels from -1/2 to 1/2, both included."""
    centred = torch.arange(size, dtype=torch.float64) - size // 2
    return torch.fft.ifftshift(centred / (size - size % 2))
