"""Noise of KADID-10k (MATLAB's imnoise) and of TID2013.

TID2013 sets the levels of its noises by PSNR: 33, 30, 27, 24 and 21 dB, or down to 15 dB where noise is of high
frequency. How it shapes the noise is known in words only, so `spatially_correlated`, `masked` and `high_frequency` are
reconstructions.
"""

import math

import numpy as np
from jaxtyping import Float, UInt8
from scipy.ndimage import gaussian_filter, uniform_filter

from imgqa.distortions.block_dct import thresholded
from imgqa.distortions.color_spaces import rgb_from_ycbcr, ycbcr_from_rgb
from imgqa.distortions.demo_types import white_noise
from imgqa.distortions.pixels import LUMA, from_unit, to_uint8, to_unit

# What white noise of deviation sigma leaves in an orthonormal coefficient is below 2.7 sigma in 99.3 % of the cases:
# the usual hard threshold (K. Dabov et al., IEEE TIP 2007).
DENOISE_THRESHOLD = 2.7


def white(image: UInt8[np.ndarray, "H W 3"], variance: float, rng: np.random.Generator) -> UInt8[np.ndarray, "H W 3"]:
    """Independent Gaussian noise of `variance` (values being 0 to 1) on red, green and blue."""
    return white_noise(image, 255 * math.sqrt(variance), rng)


def white_in_ycbcr(
    image: UInt8[np.ndarray, "H W 3"], variance: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "H W 3"]:
    """Independent Gaussian noise of `variance` on Y, Cb and Cr of video range, each then clipped to [0, 1]."""
    ycbcr = ycbcr_from_rgb(to_unit(image))
    return from_unit(rgb_from_ycbcr(np.clip(ycbcr + rng.normal(0, math.sqrt(variance), image.shape), 0, 1)))


def impulse(image: UInt8[np.ndarray, "H W 3"], density: float, rng: np.random.Generator) -> UInt8[np.ndarray, "H W 3"]:
    """The share `density` of the values set to 0 or 255, channel by channel; weak levels are part of strong ones."""
    hit, value = rng.random(image.shape) < density, rng.integers(2, size=image.shape) * 255
    return np.where(hit, value, image).astype(np.uint8)


def multiplicative(
    image: UInt8[np.ndarray, "H W 3"], variance: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "H W 3"]:
    """Each value times 1 + n, n uniform with mean 0 and `variance` (imnoise's speckle)."""
    reach = math.sqrt(3 * variance)
    return to_uint8(image * (1 + rng.uniform(-reach, reach, image.shape)))


def denoised(
    image: UInt8[np.ndarray, "H W 3"], variance: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "H W 3"]:
    """White noise of `variance` added, and taken away with a filter that knows its deviation.

    A reconstruction: KADID-10k filters with MATLAB's trained DnCNN; here the 8 x 8 cosine transform loses its small
    coefficients, averaged over four positions of the blocks.
    """
    noisy = from_unit(to_unit(image) + rng.normal(0, math.sqrt(variance), image.shape)).astype(np.float64)
    threshold = DENOISE_THRESHOLD * 255 * math.sqrt(variance)
    return to_uint8(np.mean([thresholded(noisy, threshold, (y, x)) for y in (0, 4) for x in (0, 4)], axis=0))


def spatially_correlated(
    image: UInt8[np.ndarray, "H W 3"], psnr: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "H W 3"]:
    """White noise smoothed with a Gaussian of 1 pixel, of `psnr` dB."""
    noise = gaussian_filter(rng.normal(size=image.shape), (1, 1, 0), mode="wrap")
    return _added(image, noise, psnr)


def masked(image: UInt8[np.ndarray, "H W 3"], psnr: float, rng: np.random.Generator) -> UInt8[np.ndarray, "H W 3"]:
    """White noise of `psnr` dB that hides where the image is busy.

    Its deviation follows that of luma in the 7 x 7 window, plus one grey level.
    """
    luma = image @ np.array(LUMA)
    variance = uniform_filter(luma**2, 7) - uniform_filter(luma, 7) ** 2
    return _added(image, rng.normal(size=image.shape) * (1 + np.sqrt(np.maximum(variance, 0)))[..., None], psnr)


def high_frequency(
    image: UInt8[np.ndarray, "H W 3"], psnr: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "H W 3"]:
    """White noise without its low frequencies (less its Gaussian of 1 pixel), of `psnr` dB."""
    noise = rng.normal(size=image.shape)
    return _added(image, noise - gaussian_filter(noise, (1, 1, 0), mode="wrap"), psnr)


def _added(image: np.ndarray, noise: Float[np.ndarray, "H W 3"], psnr: float) -> np.ndarray:
    """The noise is scaled to `psnr` dB before values are rounded and clipped."""
    rms = 255 * 10 ** (-psnr / 20)
    return to_uint8(image + noise * (rms / math.sqrt(np.mean(noise**2))))
