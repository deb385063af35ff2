"""Spatial distortions of KADID-10k, and the local block-wise one of TID2013."""

import numpy as np
from jaxtyping import UInt8
from scipy.ndimage import map_coordinates

from imgqa.distortions.pixels import patch_side, to_uint8

JITTER_ROUNDS = 5
BLOCKWISE_COUNT = 16


def jitter(image: UInt8[np.ndarray, "H W 3"], amount: float, rng: np.random.Generator) -> UInt8[np.ndarray, "H W 3"]:
    """Five times: each pixel fetched from a place that is off by Gaussian noise of `amount` pixels both ways.

    Cubic interpolation, by B-splines here and by convolution in MATLAB; borders repeated.
    """
    result = image.astype(np.float64)
    grid = np.mgrid[: image.shape[0], : image.shape[1]]
    for _ in range(JITTER_ROUNDS):
        where = grid + amount * rng.normal(size=grid.shape)
        channels = [map_coordinates(result[..., c], where, order=3, mode="nearest") for c in range(3)]
        result = np.clip(np.stack(channels, axis=-1), 0, 255)
    return to_uint8(result)


def misplaced_patches(
    image: UInt8[np.ndarray, "H W 3"], count: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "H W 3"]:
    """`count` patches of 16 x 16 copied to places up to 8 pixels away (non-eccentricity), smaller in small images."""
    side = patch_side(image, 16)
    result = image.copy()
    limits = np.array(image.shape[:2]) - side
    for _ in range(int(count)):
        y, x = np.rint(rng.random(2) * limits).astype(int)
        moved = np.rint((y, x) + (rng.random(2) - 0.5) * side).astype(int)
        new_y, new_x = np.clip(moved, 0, limits)
        result[new_y : new_y + side, new_x : new_x + side] = result[y : y + side, x : x + side].copy()
    return result


def resample(
    image: UInt8[np.ndarray, "H W 3"], strength: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "H W 3"]:
    """Shrunk to the share 0.95 - strength^0.6 of its sides, and enlarged again, by the nearest pixel (pixelation)."""
    share = 0.95 - strength**0.6
    rows, columns = (_there_and_back(length, share) for length in image.shape[:2])
    return image[np.ix_(rows, columns)]


def color_blocks(
    image: UInt8[np.ndarray, "H W 3"], count: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "H W 3"]:
    """`count` squares of 32 x 32, smaller in small images, each of a random colour, at random places."""
    side = patch_side(image, 32)
    result = image.copy()
    for _ in range(int(count)):
        y, x = (rng.random(2) * (np.array(image.shape[:2]) - side)).astype(int)
        result[y : y + side, x : x + side] = to_uint8(255 * rng.random(3))
    return result


def block_shifts(
    image: UInt8[np.ndarray, "H W 3"], amount: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "H W 3"]:
    """16 squares of 32 x 32, smaller in small images, brightened or darkened, the first by `amount`, the last by 1/16.

    TID2013's local block-wise distortions of different intensity, of which these words are all that is known. There
    PSNR is the same at all levels; here strength rises, so that the levels are a ladder.
    """
    side = patch_side(image, 32)
    result = image.astype(np.float64)
    for index in range(BLOCKWISE_COUNT):
        y, x = (rng.random(2) * (np.array(image.shape[:2]) - side)).astype(int)
        sign = rng.choice([-1, 1])
        result[y : y + side, x : x + side] += sign * amount * (1 - index / BLOCKWISE_COUNT)
    return to_uint8(result)


def _there_and_back(length: int, share: float) -> np.ndarray:
    """Which row each row shows after nearest-neighbour shrinking to `share` and enlarging."""
    small = max(1, int(np.ceil(length * share)))  # MATLAB's imresize rounds up
    kept = np.floor((np.arange(small) + 0.5) * length / small).astype(int)
    return kept[np.floor((np.arange(length) + 0.5) * small / length).astype(int)]
