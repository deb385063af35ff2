"""LAS and LAZ files of laser scanners, by way of laspy."""

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from pcqa.cloud import Cloud
from pcqa.io.cloud_file import FormatError, cloud_file
from pcqa.io.las_claims import check_las
from rankqa_datasets.errors import InputError

BLOCK_ROWS = 1 << 18


def read_las(path: str | Path) -> Cloud:
    """Reads a LAS file, or a LAZ file where a decompressor is installed (lazrs, which the extra `las` brings).

    Coordinates are float64, scaled and shifted as the header says. Colours have 16 bits; where none of them exceeds
    255, the file holds 8 bits, as those of many programs do, and they are divided by 255. Everything else is left out.

    Raises:
        InputError: laspy is missing; a missing, truncated or malformed file; no points.
    """
    path = Path(path)
    try:
        # By name: type checkers without the extra do not find it.
        laspy: Any = import_module("laspy")
    except ImportError:
        raise InputError(f"{path}: LAS and LAZ files need laspy; type: pip install 'rankqa[las]'") from None
    with cloud_file(path, "LAS") as file:
        if check_las(file) and not laspy.LazBackend.detect_available():
            raise FormatError("the points are compressed (LAZ), which needs lazrs; type: pip install 'rankqa[las]'")
        points, colors = [], []
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                # On one thread: the parallel reader of lazrs trusts the table of chunks for its memory.
                backends = [laspy.LazBackend.Lazrs, laspy.LazBackend.Laszip]
                reader = laspy.open(file, closefd=False, read_evlrs=False, laz_backend=backends)
                colored = "red" in reader.header.point_format.dimension_names
                for block in reader.chunk_iterator(BLOCK_ROWS):
                    points.append(np.stack([block.x, block.y, block.z], axis=1).astype(np.float64))
                    if colored:
                        colors.append(np.stack([block.red, block.green, block.blue], axis=1))
                promised = reader.header.point_count
        except (MemoryError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # laspy and its decompressors raise all types; a panic of lazrs is no Exception.
            reason = " ".join(str(error).split())[:150]
            raise FormatError(
                f"expected a LAS file that laspy can read, got {type(error).__name__}: {reason}"
            ) from None
        count = sum(len(block) for block in points)
        if count != promised:
            raise FormatError(f"the header promises {promised} points, {count} follow; the file is truncated")
        if not count:
            raise FormatError("expected at least one point, got an empty cloud")
        table = np.concatenate(points)
        shares = _shares(np.concatenate(colors)) if colors else None
    return Cloud(table, shares, source=path)


def _shares(colors: np.ndarray) -> np.ndarray:
    return colors.astype(np.float32) / np.float32(255 if colors.max() <= 255 else 65535)
