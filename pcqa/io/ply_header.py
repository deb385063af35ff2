"""The header of a PLY file: which elements follow, in which order and type."""

from dataclasses import dataclass
from itertools import count
from typing import BinaryIO

import numpy as np

from pcqa.io.cloud_file import FormatError

# A header is a few hundred bytes; the limit keeps a file without line ends from being read whole.
MAX_HEADER_BYTES = 1 << 20

BYTE_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}

SCALAR_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1",
    "short": "i2", "int16": "i2", "ushort": "u2", "uint16": "u2",
    "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip


@dataclass(frozen=True)
class Property:
    """One column; `count_type` is None for a scalar and the type of the leading count for a list."""

    name: str
    type: np.dtype
    count_type: np.dtype | None = None


@dataclass(frozen=True)
class Element:
    """One table of the file: `count` rows of `properties`."""

    name: str
    count: int
    properties: tuple[Property, ...]

    @property
    def has_list(self) -> bool:
        """Whether rows differ in length."""
        return any(p.count_type is not None for p in self.properties)

    @property
    def row_type(self) -> np.dtype:
        """Packed record of one row; for a list property only its count, hence the least a row can take.

        Fields are named by position, as files may repeat a property name.
        """
        return np.dtype([(f"f{i}", p.count_type or p.type) for i, p in enumerate(self.properties)])

    @property
    def scalars(self) -> tuple[Property, ...]:
        """The properties that are not lists."""
        return tuple(p for p in self.properties if p.count_type is None)

    @property
    def scalar_type(self) -> np.dtype:
        """Packed record of the scalar properties of one row, fields named by position."""
        return np.dtype([(f"f{i}", p.type) for i, p in enumerate(self.scalars)])


@dataclass(frozen=True)
class Header:
    """What a PLY file declares; the byte order is "<", ">", or "" for ASCII."""

    byte_order: str
    elements: tuple[Element, ...]

    @property
    def is_ascii(self) -> bool:
        """Whether the body is text."""
        return self.byte_order == ""


def read_header(file: BinaryIO) -> Header:
    """Reads the header from the start of `file`.

    Raises:
        FormatError: not a PLY file, a header that ends early, or a line that the format does not allow.
    """
    if file.readline(16).rstrip() != b"ply":
        raise FormatError("expected a PLY file, whose first line is 'ply'")
    byte_order = None
    elements: list[tuple[str, int, list[Property]]] = []
    for line_number in count(2):
        line = file.readline(MAX_HEADER_BYTES)
        if not line.endswith(b"\n") and line.strip() != b"end_header":
            raise FormatError("the header ends before 'end_header'; the file is truncated")
        match line.decode("latin-1").split():
            case [] | ["comment" | "obj_info", *_]:
                pass
            case ["format", name, "1.0"] if name in BYTE_ORDERS:
                byte_order = BYTE_ORDERS[name]
            case ["element", name, rows] if rows.isdecimal() and len(rows) < 19:
                elements.append((name, int(rows), []))
            case ["property", "list", count_type, item_type, name] if elements:
                if _scalar_type(count_type, byte_order).kind == "f":
                    raise FormatError(
                        f"list property {name!r} has a count of type {count_type}, expected an integer type"
                    )
                types = _scalar_type(item_type, byte_order), _scalar_type(count_type, byte_order)
                elements[-1][2].append(Property(name, *types))
            case ["property", scalar, name] if elements:
                elements[-1][2].append(Property(name, _scalar_type(scalar, byte_order)))
            case ["end_header"]:
                if byte_order is None:
                    raise FormatError(f"the header has no format line; expected one of {', '.join(BYTE_ORDERS)}")
                tables = tuple(Element(name, rows, tuple(props)) for name, rows, props in elements)
                return Header(byte_order, tables)
            case words:
                raise FormatError(f"header line {line_number} is not PLY: {' '.join(words)[:60]!r}")
        if file.tell() > MAX_HEADER_BYTES:
            break
    raise FormatError(f"expected 'end_header' within the first {MAX_HEADER_BYTES} bytes")


def _scalar_type(name: str, byte_order: str | None) -> np.dtype:
    if byte_order is None:
        raise FormatError("the format line must come before the first property")
    if name not in SCALAR_TYPES:
        raise FormatError(f"property type {name[:30]!r} is unknown, expected one of {', '.join(SCALAR_TYPES)}")
    return np.dtype(byte_order + SCALAR_TYPES[name])
