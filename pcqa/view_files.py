"""Projections as PNG files."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8, UInt16
from PIL import Image

from pcqa.projection import Projection
from rankqa_datasets.atomic_file import write_bytes_atomically
from rankqa_datasets.errors import InputError

# Depths that a file can hold, in radii of the frame. The corners of a cube that fills axis views lie at 1.7.
DEPTHS = (-2.0, 2.0)


def write_views(projection: Projection, folder: Path, *, maps: tuple[str, ...] = ("color",)) -> list[Path]:
    """Writes each view of a cloud to `folder/color_00.png`, `color_01.png`, ..., and so for each other map.

    Args:
        projection: of one cloud.
        folder: made if it is missing; files of the same names are replaced.
        maps: of `color` (8-bit RGB), `mask` (8-bit, 255 where there is a point) and `depth` (16-bit: 1 to 65535 from 2
            radii of the frame before its centre to 2 behind, those beyond cut off; 0 where there is no point).

    Returns:
        The files, map by map.

    Raises:
        InputError: an unknown map, or a folder that cannot be written.
    """
    for name in maps:
        if name not in PIXELS:
            raise InputError(f"unknown map {name!r}: known are {', '.join(PIXELS)}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    files = []
    for name in maps:
        for number, pixels in enumerate(PIXELS[name](projection)):
            files.append(folder / f"{name}_{number:02}.png")
            write_png(Image.fromarray(pixels), files[-1])
    return files


def write_png(image: Image.Image, path: Path) -> None:
    """Writes an image losslessly; readers see the old file or the new one.

    Raises:
        InputError: `path` cannot be written.
    """
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    write_bytes_atomically(path, buffer.getvalue())


def _color(projection: Projection) -> UInt8[np.ndarray, "v h w 3"]:
    return projection.color.cpu().numpy()


def _mask(projection: Projection) -> UInt8[np.ndarray, "v h w"]:
    return 255 * projection.mask.to(torch.uint8).cpu().numpy()


def _depth(projection: Projection) -> UInt16[np.ndarray, "v h w"]:
    low, high = DEPTHS
    depth = projection.depth.double().clamp(low, high).cpu().numpy()
    values = 1 + np.rint((depth - low) / (high - low) * 65534)
    return np.where(projection.mask.cpu().numpy(), values, 0).astype(np.uint16)


PIXELS: dict[str, Callable[[Projection], np.ndarray]] = {"color": _color, "mask": _mask, "depth": _depth}
"""Name of a map -> function returning the pixels of all views."""
