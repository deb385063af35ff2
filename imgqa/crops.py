"""Square windows cut from a decoded image: random ones for training, fixed ones for evaluation."""

import math

import numpy as np
import torch
from torch import Tensor

from rankqa_datasets.errors import InputError


def random_crops(
    image: np.ndarray, *, size: int, count: int, horizontal_flip: bool, generator: torch.Generator
) -> Tensor:
    """Windows at uniformly random places, each mirrored left to right with probability 1/2 if asked for.

    Args:
        image: uint8 (H, W, C), may be a memory map; only the windows are read.
        size: side of a window in pixels.
        count: number of windows K.
        horizontal_flip: mirror at random. Quality does not depend on handedness.
        generator: the source of every random choice.

    Returns:
        uint8 (K, size, size, C), a copy.

    Raises:
        InputError: the image is smaller than a window.
    """
    height, width = _check_size(image, size)
    tops = torch.randint(height - size + 1, (count,), generator=generator).tolist()
    lefts = torch.randint(width - size + 1, (count,), generator=generator).tolist()
    mirrored = (torch.rand(count, generator=generator) < 0.5).tolist()
    crops = _cut(image, list(zip(tops, lefts, strict=True)), size)
    # Torch mirrors bytes fast in this view of them only: channels first, and side by side in memory.
    for crop, mirror in zip(crops.permute(0, 3, 1, 2).split(1), mirrored, strict=True):
        if horizontal_flip and mirror:
            crop.copy_(crop.flip(3))
    return crops


def grid_crops(image: np.ndarray, *, size: int, count: int) -> Tensor:
    """Windows on a regular n x n grid from corner to corner, n * n = count; a single one is the centre.

    They overlap where the image is smaller than n windows and leave gaps where it is larger.

    Args:
        image: uint8 (H, W, C), may be a memory map.
        size: side of a window in pixels.
        count: number of windows K, a square number.

    Returns:
        uint8 (K, size, size, C), a copy, row by row.

    Raises:
        InputError: the image is smaller than a window.
    """
    height, width = _check_size(image, size)
    n = math.isqrt(count)
    corners = [(top, left) for top in _evenly(height - size, n) for left in _evenly(width - size, n)]
    return _cut(image, corners, size)


def five_crops(image: np.ndarray, *, size: int) -> Tensor:
    """The windows in the four corners and in the centre.

    Args:
        image: uint8 (H, W, C), may be a memory map.
        size: side of a window in pixels.

    Returns:
        uint8 (5, size, size, C), a copy: top left, top right, bottom left, bottom right, centre.

    Raises:
        InputError: the image is smaller than a window.
    """
    height, width = _check_size(image, size)
    bottom, right = height - size, width - size
    return _cut(image, [(0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)], size)


def grow_to_crop(image: np.ndarray, *, size: int) -> np.ndarray:
    """The image continued by its own mirror image on both sides until a window fits; a larger one as it is.

    Args:
        image: uint8 (H, W, C).
        size: side of a window in pixels.
    """
    missing = [max(0, size - side) for side in image.shape[:2]]
    if not any(missing):
        return image
    return np.pad(image, [*((gap // 2, gap - gap // 2) for gap in missing), (0, 0)], mode="symmetric")


def _evenly(last: int, n: int) -> list[int]:
    return [last // 2] if n == 1 else [round(i * last / (n - 1)) for i in range(n)]


def _cut(image: np.ndarray, corners: list[tuple[int, int]], size: int) -> Tensor:
    crops = np.empty((len(corners), size, size, image.shape[2]), dtype=np.uint8)
    for crop, (top, left) in zip(crops, corners, strict=True):
        crop[:] = image[top : top + size, left : left + size]
    return torch.from_numpy(crops)


def _check_size(image: np.ndarray, size: int) -> tuple[int, int]:
    height, width = image.shape[:2]
    if min(height, width) < size:
        raise InputError(
            f"the image has {width} x {height} pixels, a crop {size} x {size}: set input.crop to at most "
            f"{min(height, width)}, or input.small_images='mirror', or leave the image out; nothing is resized"
        )
    return height, width
