"""The five types of the demo set: their pixels must not change, or the set and all that was measured on it would."""

import io

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from imgqa.distortions.pixels import to_uint8


def gaussian_blur(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Each channel convolved with a Gaussian of standard deviation `sigma` pixels; borders mirrored."""
    return to_uint8(gaussian_filter(image.astype(np.float64), sigma=(sigma, sigma, 0)))


def white_noise(image: np.ndarray, std: float, rng: np.random.Generator) -> np.ndarray:
    """Independent Gaussian noise of standard deviation `std` (of 255) on red, green and blue."""
    return to_uint8(image + rng.normal(0.0, std, size=image.shape))


def jpeg(image: np.ndarray, quality: float, rng: np.random.Generator) -> np.ndarray:
    """Compressed and decoded by Pillow's JPEG, quality 1 to 95, chroma halved both ways."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="JPEG", quality=int(quality), subsampling="4:2:0")
    with Image.open(file) as decoded:
        return np.array(decoded)


def pixelate(image: np.ndarray, block: float, rng: np.random.Generator) -> np.ndarray:
    """Squares of `block` pixels replaced by their mean; the last row and column of squares may be cut."""
    step = int(block)
    rows, columns = (np.arange(0, length, step) for length in image.shape[:2])
    sums = np.add.reduceat(np.add.reduceat(image.astype(np.float64), rows, axis=0), columns, axis=1)
    heights, widths = (np.diff([*starts, length]) for starts, length in zip((rows, columns), image.shape, strict=False))
    means = sums / (heights[:, None, None] * widths[None, :, None])
    return to_uint8(means.repeat(heights, axis=0).repeat(widths, axis=1))


def color_quantization(image: np.ndarray, count: float, rng: np.random.Generator) -> np.ndarray:
    """Each channel rounded to `count` evenly spaced values from 0 to 255, without dither."""
    steps = count - 1
    return to_uint8(np.rint(image * (steps / 255.0)) * (255.0 / steps))
