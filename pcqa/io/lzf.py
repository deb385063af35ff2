"""LZF decompression, as in compressed PCD files."""

from typing import no_type_check

import numpy as np
from numba import njit

from pcqa.io.cloud_file import FormatError

# A back reference of three bytes copies at most 2 + 7 + 255 bytes.
LARGEST_RATIO = 264 / 3


def decompress_lzf(data: np.ndarray, size: int) -> np.ndarray:
    """Decompresses LZF (the format of Marc Lehmann's liblzf).

    A control byte below 32 says that `control + 1` bytes follow as they are; any other is a back reference: its upper
    3 bits are the length less 2 (7: the next byte is added), its lower 5 bits and one more byte the distance less 1.

    Args:
        data: (bytes,) uint8.
        size: number of bytes that must come out.

    Returns:
        (size,) uint8.

    Raises:
        FormatError: the data cannot give `size` bytes, or are not LZF.
    """
    if size > LARGEST_RATIO * len(data):
        raise FormatError(f"{len(data)} compressed bytes cannot hold {size} bytes; the file is truncated or lies")
    result = np.empty(size, np.uint8)
    if _decompress(data, result) != size:
        raise FormatError(f"the compressed data are broken: expected {size} bytes of LZF")
    return result


@njit(cache=True)
@no_type_check
def _decompress(data, result):
    """Number of bytes written, or -1 for broken data."""
    source = target = 0
    while source < len(data):
        control = np.int64(data[source])
        source += 1
        if control < 32:
            length = control + 1
            if source + length > len(data) or target + length > len(result):
                return -1
            for _ in range(length):
                result[target] = data[source]
                target += 1
                source += 1
            continue
        length = control >> 5
        if source + (2 if length == 7 else 1) > len(data):
            return -1
        if length == 7:
            length += np.int64(data[source])
            source += 1
        origin = target - ((control & 31) << 8) - np.int64(data[source]) - 1
        source += 1
        length += 2
        if origin < 0 or target + length > len(result):
            return -1
        # One by one: the copied bytes may overlap what is being written.
        for _ in range(length):
            result[target] = result[origin]
            target += 1
            origin += 1
    return target
