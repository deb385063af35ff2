"""What a LAS or LAZ file promises, checked against its size before a decoder allocates or loops by it."""

import os
import struct
from typing import BinaryIO

from pcqa.io.cloud_file import FormatError

# Layers into which LAZ sorts the points of the formats from 6 on: nine for the point itself, then colours and infrared.
# Formats 9 and 10 (wave forms) are left to the decoder.
LAYERS = {6: 9, 7: 10, 8: 11}

# Bytes of a point without extra ones.
PLAIN_ROWS = {6: 30, 7: 36, 8: 38}

RECORD_BYTES = 54


def check_las(file: BinaryIO) -> bool:
    """Refuses a file that is shorter than it says, and leaves it at its start.

    Args:
        file: the file, at its start.

    Returns:
        Whether the points are compressed (LAZ).

    Raises:
        FormatError: no LAS file, a truncated one, or one that promises more than it can hold.
    """
    size = os.fstat(file.fileno()).st_size
    head = file.read(375)
    if not head.startswith(b"LASF"):
        raise FormatError("expected a LAS file, which begins with 'LASF'")
    if len(head) < 227:
        raise FormatError("the file ends inside its header; it is truncated")
    start, records, point_format, row, points = struct.unpack_from("<IIBHI", head, 96)
    if start > size or records * RECORD_BYTES > size:
        raise FormatError(
            f"the header promises points after {start} bytes and {records} records in a file of {size} bytes"
        )
    if head[25] >= 4 and len(head) >= 255:
        points = max(points, struct.unpack_from("<Q", head, 247)[0])
    # The upper bits mark LAZ, whose points have no fixed size.
    compressed = point_format >= 64
    if compressed:
        table = _check_chunk_table(file, start, size)
        _check_layers(file, start + 8, table, point_format & 63, row)
    elif points * row > size - start:
        raise FormatError(
            f"the header promises {points} points ({points * row} bytes), but only {size - start} bytes follow; "
            "the file is truncated"
        )
    file.seek(0)
    return compressed


def _check_chunk_table(file: BinaryIO, start: int, size: int) -> int:
    """Where the table of chunks lies. lazrs allocates by its length, and aborts if that fails."""
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
    if chunks > size:
        raise FormatError(f"the file promises {chunks} compressed chunks, but has only {size} bytes")
    return table


def _check_layers(file: BinaryIO, place: int, end: int, point_format: int, row: int) -> None:
    """Walks over the chunks: a point as it is, their number, and the layers' sizes, by which lazrs allocates."""
    if point_format not in LAYERS or row < PLAIN_ROWS[point_format]:
        return
    # Each extra byte of a point is a layer of its own.
    layers = LAYERS[point_format] + row - PLAIN_ROWS[point_format]
    sizes = struct.Struct(f"<{layers}I")
    while place < end:
        file.seek(place + row + 4)
        stored = file.read(sizes.size)
        place = file.tell()
        if len(stored) < sizes.size or (total := sum(sizes.unpack(stored))) > end - place:
            raise FormatError("a compressed chunk of the file promises more bytes than follow; the file is truncated")
        place += total
