"""Rows of a binary PLY element that has list properties, hence rows of different lengths."""

from typing import no_type_check

import numpy as np
from numba import njit

from pcqa.io.cloud_file import FormatError
from pcqa.io.ply_header import Element

TRUNCATED, NEGATIVE = -1, -2


def scalar_rows(
    data: np.ndarray, start: int, element: Element, *, big_endian: bool, keep: bool
) -> tuple[np.ndarray, int]:
    """Steps over the rows of `element` and gathers their scalar properties.

    Args:
        data: (bytes,) uint8, the whole file; may be a memory map.
        start: where the element begins.
        element: what the header says of it.
        big_endian: byte order of the file.
        keep: whether the scalars are wanted; otherwise the table is empty.

    Returns:
        The packed table of the scalar properties in `element.scalar_type`, and the position after the element.

    Raises:
        FormatError: the element ends after the file, or a list has a negative length.
    """
    scalars = element.scalar_type
    counts = [prop.count_type for prop in element.properties]
    packed = np.empty((element.count if keep else 0, scalars.itemsize), np.uint8)
    end = _walk(
        data,
        start,
        element.count,
        np.array([kind.itemsize if kind is not None else 0 for kind in counts], np.int64),
        np.array([kind is not None and kind.kind == "i" for kind in counts]),
        np.array([prop.type.itemsize for prop in element.properties], np.int64),
        big_endian,
        packed,
    )
    if end == TRUNCATED:
        raise FormatError(f"the file ends inside element {element.name!r}; it is truncated")
    if end == NEGATIVE:
        raise FormatError(f"a list in element {element.name!r} has a negative length")
    return packed.view(scalars)[:, 0] if keep else np.empty(0, scalars), end


@njit(cache=True)
@no_type_check
def _walk(data, start, rows, count_sizes, signed, item_sizes, big_endian, packed):
    """Position after the rows, TRUNCATED or NEGATIVE. A count size of 0 marks a scalar property."""
    position = start
    for row in range(rows):
        column = 0
        for index in range(len(item_sizes)):
            length = 1
            size = count_sizes[index]
            if size > 0:
                if position + size > len(data):
                    return TRUNCATED
                length = 0
                for byte in range(size):
                    place = size - 1 - byte if big_endian else byte
                    length |= np.int64(data[position + byte]) << (8 * place)
                if signed[index] and length >> (8 * size - 1):
                    return NEGATIVE
                position += size
            end = position + length * item_sizes[index]
            if end > len(data):
                return TRUNCATED
            if size == 0 and len(packed) > 0:
                for byte in range(item_sizes[index]):
                    packed[row, column] = data[position + byte]
                    column += 1
            position = end
    return position
