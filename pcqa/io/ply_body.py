"""The body of a PLY file: the rows of its vertex element, a block at a time."""

import os
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np

from pcqa.io.cloud_file import FormatError, bytes_left
from pcqa.io.columns import Block, check_names
from pcqa.io.ply_header import Element, Header
from pcqa.io.text_rows import parse_rows, text_lines

# Rows read at once: about a megabyte, which stays in the processor's cache between reading and unpacking.
BLOCK_ROWS = 1 << 16


def vertex_element(header: Header) -> Element:
    """The element that holds the points.

    Raises:
        FormatError: there is none, it has no rows, or no x, y, z, or a property twice.
    """
    vertex = next((element for element in header.elements if element.name == "vertex"), None)
    if vertex is None:
        names = ", ".join(element.name for element in header.elements)[:200]
        raise FormatError(f"expected an element 'vertex', got {names or 'no element'}")
    check_names([prop.name for prop in vertex.scalars], "vertex property")
    if vertex.count == 0:
        raise FormatError("expected at least one vertex, got an empty cloud (element vertex 0)")
    return vertex


def vertex_blocks(file: BinaryIO, header: Header, vertex: Element) -> Iterator[Block]:
    """The scalar columns of the vertex rows; `file` stands after the header.

    Raises:
        FormatError: the file is too short for what the header promises, or a row is malformed.
    """
    before = header.elements[: header.elements.index(vertex)]
    if header.is_ascii:
        return _text_blocks(file, before, vertex)
    return _binary_blocks(file, before, vertex, big_endian=header.byte_order == ">")


def _binary_blocks(file: BinaryIO, before: Sequence[Element], vertex: Element, *, big_endian: bool) -> Iterator[Block]:
    for element in before:
        _require_bytes(file, element, element.row_type.itemsize)
        if element.has_list:
            file.seek(_list_rows(file, element, big_endian, keep=False)[1])
        else:
            file.seek(element.count * element.row_type.itemsize, os.SEEK_CUR)
    _require_bytes(file, vertex, vertex.row_type.itemsize)
    if vertex.has_list:
        yield _by_name(vertex, _list_rows(file, vertex, big_endian, keep=True)[0])
        return
    for start in range(0, vertex.count, BLOCK_ROWS):
        yield _by_name(vertex, np.fromfile(file, vertex.row_type, min(BLOCK_ROWS, vertex.count - start)))


def _list_rows(file: BinaryIO, element: Element, big_endian: bool, *, keep: bool) -> tuple[np.ndarray, int]:
    # Not at the top: numba takes a quarter of a second to import, and most files need none.
    from pcqa.io.list_rows import scalar_rows

    start = file.tell()
    data = np.memmap(file, np.uint8, "r")  # Moves the file's position.
    return scalar_rows(data, start, element, big_endian=big_endian, keep=keep)


def _by_name(vertex: Element, rows: np.ndarray) -> Block:
    return {prop.name: rows[field] for prop, field in zip(vertex.scalars, rows.dtype.names or (), strict=True)}


def _require_bytes(file: BinaryIO, element: Element, least_row: int) -> None:
    # Before anything is allocated: a header may claim any number of rows.
    if element.count * least_row > (left := bytes_left(file)):
        raise FormatError(
            f"the header promises {element.count} rows of element {element.name!r} "
            f"(at least {element.count * least_row} bytes), but only {left} bytes follow; the file is truncated"
        )


def _text_blocks(file: BinaryIO, before: Sequence[Element], vertex: Element) -> Iterator[Block]:
    # A number and its separator take two characters; the last separator may be missing.
    _require_bytes(file, vertex, 2 * len(vertex.properties) - 1)
    names = [prop.name for prop in vertex.scalars]
    skip = sum(element.count for element in before)
    row = 0
    for lines in text_lines(file):
        skipped = min(skip, len(lines))
        skip -= skipped
        lines = lines[skipped : skipped + vertex.count - row]
        if vertex.has_list:
            lines = [_without_lists(line, vertex) for line in lines]
        if lines:
            yield dict(zip(names, parse_rows(lines, len(names), first_row=row).T, strict=True))
        row += len(lines)
        if row == vertex.count:
            return


def _without_lists(line: str, vertex: Element) -> str:
    """The scalars of a text row; a malformed list leaves a row of the wrong length or words that are no numbers."""
    words = line.split()
    scalars = []
    position = 0
    for prop in vertex.properties:
        word = words[position] if position < len(words) else "nothing"
        position += 1
        if prop.count_type is None:
            scalars.append(word)
        elif word.isdecimal() and len(word) < 10:
            position += int(word)
        else:
            raise FormatError(f"expected the length of list {prop.name!r}, got {word[:40]!r}")
    return " ".join([*scalars, *words[position:]])
