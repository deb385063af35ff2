"""PCD files of the Point Cloud Library: ascii, binary and binary_compressed."""

from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pcqa.cloud import Cloud
from pcqa.io.cloud_file import FormatError, bytes_left, cloud_file
from pcqa.io.columns import Block, assemble, check_names
from pcqa.io.pcd_header import Field, PcdHeader, read_pcd_header
from pcqa.io.text_rows import parse_rows, text_lines

BLOCK_ROWS = 1 << 16

PACKED_COLORS = ("rgb", "rgba")


def read_pcd(path: str | Path) -> Cloud:
    """Reads a PCD file.

    Coordinates, normals (`normal_x normal_y normal_z` or `nx ny nz`) and separate colours are taken as from PLY. Packed
    colours (`rgb` or `rgba`, four bytes of any type) hold blue in the lowest byte, then green, then red; the highest is
    left out. As in PCL, such a field of type F in a text file is the float that has these four bytes. Other fields and
    VIEWPOINT are left out.

    Raises:
        InputError: a missing, truncated or malformed file, no points, or coordinates that are not finite (PCL marks
            the holes of an organised cloud by NaN).
    """
    path = Path(path)
    with cloud_file(path, "PCD") as file:
        header = read_pcd_header(file)
        fields = {field.name: field for field in header.fields if field.width == 1 and field.name != "_"}
        check_names([field.name for field in header.fields if field.name != "_"], "field")
        check_names(list(fields), "single-valued field")
        types = {name: field.type for name, field in fields.items()}
        packed = next((fields[name] for name in PACKED_COLORS if name in fields), None)
        blocks = _blocks(file, header)
        if packed is not None:
            if packed.type.itemsize != 4:
                raise FormatError(
                    f"expected packed colours of size 4 in field {packed.name!r}, got {packed.type.itemsize}"
                )
            types |= dict.fromkeys(("red", "green", "blue"), np.dtype("u1"))
            blocks = (_unpacked(block, packed) for block in blocks)
        points, colors, normals = assemble(blocks, types, header.count)
    return Cloud(points, colors, normals, source=path)


def _blocks(file: BinaryIO, header: PcdHeader) -> Iterator[Block]:
    # A number and its separator take two characters; the last separator may be missing. Compressed data are checked
    # by the reader of them.
    width = sum(field.width for field in header.fields)
    least = {"ascii": 2 * width - 1, "binary": header.row_type.itemsize, "binary_compressed": 0}[header.encoding]
    if header.count * least > (left := bytes_left(file)):
        raise FormatError(
            f"the header promises {header.count} points (at least {header.count * least} bytes), "
            f"but only {left} bytes follow; the file is truncated"
        )
    readers = {"ascii": _text_blocks, "binary": _binary_blocks, "binary_compressed": _compressed_blocks}
    return readers[header.encoding](file, header)


def _text_blocks(file: BinaryIO, header: PcdHeader) -> Iterator[Block]:
    starts = list(accumulate((field.width for field in header.fields), initial=0))
    row = 0
    for lines in text_lines(file):
        lines = lines[: header.count - row]
        if lines:
            table = parse_rows(lines, starts[-1], first_row=row)
            yield {
                field.name: table[:, start]
                for field, start in zip(header.fields, starts[:-1], strict=True)
                if field.width
            }
        row += len(lines)
        if row == header.count:
            return


def _binary_blocks(file: BinaryIO, header: PcdHeader) -> Iterator[Block]:
    for start in range(0, header.count, BLOCK_ROWS):
        rows = np.fromfile(file, header.row_type, min(BLOCK_ROWS, header.count - start))
        columns = zip(header.fields, rows.dtype.names or (), strict=True)
        yield {field.name: rows[label][:, 0] for field, label in columns if field.width}


def _compressed_blocks(file: BinaryIO, header: PcdHeader) -> Iterator[Block]:
    # Not at the top: numba takes a quarter of a second to import, and most files need none.
    from pcqa.io.lzf import decompress_lzf

    sizes = file.read(8)
    if len(sizes) < 8:
        raise FormatError("the file ends before its compressed data; it is truncated")
    stored, size = np.frombuffer(sizes, "<u4").tolist()
    if stored > (left := bytes_left(file)):
        raise FormatError(f"the file promises {stored} compressed bytes, but only {left} follow; it is truncated")
    if size != header.count * header.row_type.itemsize:
        expected = header.count * header.row_type.itemsize
        raise FormatError(f"{header.count} points take {expected} bytes, but the compressed data promise {size}")
    data = decompress_lzf(np.fromfile(file, np.uint8, stored), size)
    # All values of a field lie together.
    block, start = {}, 0
    for field in header.fields:
        stop = start + header.count * field.width * field.type.itemsize
        if field.width:
            block[field.name] = data[start:stop].view(field.type)[:: field.width]
        start = stop
    yield block


def _unpacked(block: Block, packed: Field) -> Block:
    values = block[packed.name]
    if values.dtype == packed.type:
        bits = np.ascontiguousarray(values).view(np.uint32)
    elif not np.isfinite(values).all():
        # Alpha 255 makes the four bytes a NaN, which text cannot carry.
        raise FormatError(f"field {packed.name!r} has colours that are not finite numbers; save it as binary")
    elif packed.type.kind == "f":
        bits = values.astype(np.float32).view(np.uint32)
    else:
        bits = values.astype(np.int64).astype(np.uint32)
    channels = {
        name: ((bits >> shift) & 255).astype(np.uint8) for name, shift in (("red", 16), ("green", 8), ("blue", 0))
    }
    return {**block, **channels}
