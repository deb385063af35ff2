"""Distortions of images with levels, in the manner of KADID-10k: seeded, uint8 in, uint8 out."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from rankqa_datasets.errors import InputError


@dataclass(frozen=True)
class Distortion:
    """One type: its function of (image, amount, random generator), and the amounts of levels 1, 2, ... ."""

    function: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
    amounts: tuple[float, ...]


def distort(image: np.ndarray, name: str, level: int, *, seed: int = 0) -> np.ndarray:
    """The image (H, W, 3) uint8 with distortion `name` of DISTORTIONS at a level from 1 (weak) to 5 (strong).

    Raises:
        InputError: unknown name or level, or not a uint8 (H, W, 3) array.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise InputError(f"expected an image (H, W, 3) uint8, got {image.shape} {image.dtype}")
    if name not in DISTORTIONS:
        raise InputError(f"expected a distortion of {', '.join(DISTORTIONS)}, got '{name}'")
    distortion = DISTORTIONS[name]
    if not 1 <= level <= len(distortion.amounts):
        raise InputError(f"expected a level of {name} from 1 to {len(distortion.amounts)}, got {level}")
    return distortion.function(image, distortion.amounts[level - 1], np.random.default_rng(seed))


def gaussian_blur(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Each channel convolved with a Gaussian of standard deviation `sigma` pixels; borders mirrored."""
    return _to_uint8(gaussian_filter(image.astype(np.float64), sigma=(sigma, sigma, 0)))


def white_noise(image: np.ndarray, std: float, rng: np.random.Generator) -> np.ndarray:
    """Independent Gaussian noise of standard deviation `std` (of 255) on red, green and blue."""
    return _to_uint8(image + rng.normal(0.0, std, size=image.shape))


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
    return _to_uint8(means.repeat(heights, axis=0).repeat(widths, axis=1))


def color_quantization(image: np.ndarray, count: float, rng: np.random.Generator) -> np.ndarray:
    """Each channel rounded to `count` evenly spaced values from 0 to 255, without dither."""
    steps = count - 1
    return _to_uint8(np.rint(image * (steps / 255.0)) * (255.0 / steps))


def _to_uint8(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


# The families are KADID-10k's (H. Lin, V. Hosu, D. Saupe, QoMEX 2019); the amounts are ours, spaced so that a step is
# about as visible in a 192-pixel image in one family as in another.
DISTORTIONS: dict[str, Distortion] = {
    "gaussian_blur": Distortion(gaussian_blur, (0.6, 1.0, 1.6, 2.4, 3.6)),  # standard deviation, pixels
    "white_noise": Distortion(white_noise, (6.0, 12.0, 20.0, 32.0, 50.0)),  # standard deviation of 255
    "jpeg": Distortion(jpeg, (40.0, 22.0, 13.0, 8.0, 5.0)),  # quality
    "pixelate": Distortion(pixelate, (2.0, 3.0, 4.0, 6.0, 8.0)),  # side of a square, pixels
    "color_quantization": Distortion(color_quantization, (16.0, 10.0, 7.0, 5.0, 3.0)),  # values a channel
}
