"""LAS and LAZ files of laser scanners, by way of laspy."""

import struct
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pcqa.cloud import Cloud
from pcqa.io.cloud_file import FormatError, cloud_file
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
        import laspy  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InputError(f"{path}: LAS and LAZ files need laspy; type: pip install 'rankqa[las]'") from None
    with cloud_file(path, "LAS") as file:
        _check_header(file)
        points, colors = [], []
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                # In order, not by the table of chunks: nothing is allocated by what that promises.
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


def _check_header(file: BinaryIO) -> None:
    """Refuses what laspy would take long or much memory to refuse; leaves the file at its start."""
    head = file.read(375)
    size = file.seek(0, 2)
    file.seek(0)
    if not head.startswith(b"LASF"):
        raise FormatError("expected a LAS file, which begins with 'LASF'")
    if len(head) < 227:
        raise FormatError("the file ends inside its header; it is truncated")
    start, records, point_format, row, points = struct.unpack_from("<IIBHI", head, 96)
    if start > size or records * 54 > size:
        raise FormatError(
            f"the header promises points after {start} bytes and {records} records in a file of {size} bytes"
        )
    if head[25] >= 4 and len(head) >= 255:
        points = max(points, struct.unpack_from("<Q", head, 247)[0])
    # The upper bits mark LAZ, whose points have no fixed size.
    if point_format >= 64:
        _check_chunks(file, start, size)
    elif points * row > size - start:
        raise FormatError(
            f"the header promises {points} points ({points * row} bytes), but only {size - start} bytes follow; "
            "the file is truncated"
        )


def _check_chunks(file: BinaryIO, start: int, size: int) -> None:
    """Refuses a LAZ file with more chunks than bytes: lazrs would allocate for them and abort."""
    file.seek(start)
    table = int.from_bytes(file.read(8), "little", signed=True)
    if table == -1:
        # Written as a stream: the table's place follows the table.
        file.seek(size - 8)
        table = int.from_bytes(file.read(8), "little", signed=True)
    if not start < table <= size - 8:
        raise FormatError("the file's table of compressed chunks lies outside of it; it is truncated")
    file.seek(table + 4)
    chunks = int.from_bytes(file.read(4), "little")
    file.seek(0)
    if chunks > size:
        raise FormatError(f"the file promises {chunks} compressed chunks, but has only {size} bytes")
