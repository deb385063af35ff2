"""Distortions of images with levels, those of KADID-10k and TID2013: seeded, uint8 in, uint8 out."""

import numpy as np

from imgqa.distortions.distortion import Distortion
from imgqa.distortions.table import DISTORTIONS, PSNR_MAY_RISE, UNORDERED
from rankqa_datasets.errors import InputError

__all__ = ["DISTORTIONS", "PSNR_MAY_RISE", "UNORDERED", "Distortion", "distort"]

SMALLEST_SIDE = 8


def distort(image: np.ndarray, name: str, level: int, *, seed: int = 0) -> np.ndarray:
    """The image (H, W, 3) uint8, sides of at least 8, with `name` of DISTORTIONS at a level from 1 (weak) to 5.

    One seed gives the same random choices at all levels, so that a ladder of levels is one story told louder.

    Raises:
        InputError: unknown name or level, or not a uint8 (H, W, 3) array of that size.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise InputError(f"expected an image (H, W, 3) uint8, got {image.shape} {image.dtype}")
    if min(image.shape[:2]) < SMALLEST_SIDE:
        raise InputError(f"expected an image of at least 8 x 8 pixels, got {image.shape[0]} x {image.shape[1]}")
    if name not in DISTORTIONS:
        raise InputError(f"expected a distortion of {', '.join(DISTORTIONS)}, got '{name}'")
    distortion = DISTORTIONS[name]
    if not 1 <= level <= len(distortion.amounts):
        raise InputError(f"expected a level of {name} from 1 to {len(distortion.amounts)}, got {level}")
    return distortion.function(image, distortion.amounts[level - 1], np.random.default_rng(seed))
