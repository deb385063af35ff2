"""What a GLB file promises, checked against its size before a loader allocates by it."""

import json
import os
import struct
from typing import BinaryIO

from pcqa.io.cloud_file import FormatError

# Draco, the densest compression in use, takes about a byte per element.
LARGEST_RATIO = 64


def check_glb(file: BinaryIO) -> None:
    """Refuses a GLB file that is shorter than it says or whose arrays could not be in it.

    Args:
        file: the file, at its start.

    Raises:
        FormatError: no GLB file, a truncated one, or one that promises too much.
    """
    size = os.fstat(file.fileno()).st_size
    head = file.read(20)
    if not head.startswith(b"glTF"):
        raise FormatError("expected a GLB file, which begins with 'glTF'")
    if len(head) < 20:
        raise FormatError("the file ends inside its header; it is truncated")
    length = struct.unpack_from("<I", head, 12)[0]
    start = 20
    text = None
    # Chunks: length, kind, data; the first holds the description.
    while True:
        if length > size - start:
            raise FormatError(f"the file promises a chunk of {length} bytes, but only {size - start} follow")
        if text is None:
            text = file.read(length)
        start = file.seek(start + length)
        head = file.read(8)
        if len(head) < 8:
            break
        length = struct.unpack_from("<I", head)[0]
        start += 8
    try:
        accessors = json.loads(text)["accessors"]
        count = sum(accessor["count"] for accessor in accessors)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise FormatError("expected a GLB file with arrays of vertices, got none that can be read") from None
    if not 0 <= count <= LARGEST_RATIO * size:
        raise FormatError(f"the file promises {count} elements in arrays, but has only {size} bytes")
