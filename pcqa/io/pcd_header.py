"""The header of a PCD file: its fields, their types, and how many points follow in which encoding."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from pcqa.io.cloud_file import FormatError

# A header is a few hundred bytes; the limits keep garbage from being taken for one.
MAX_LINE_BYTES = 1 << 16
MAX_ROW_BYTES = 1 << 16

ENCODINGS = ("ascii", "binary", "binary_compressed")
KEYWORDS = ("VERSION", "FIELDS", "SIZE", "TYPE", "COUNT", "WIDTH", "HEIGHT", "VIEWPOINT", "POINTS", "DATA")
TYPES = {("F", "4"), ("F", "8"), *((kind, size) for kind in "IU" for size in "1248")}


@dataclass(frozen=True)
class Field:
    """One column, or `width` columns side by side under one name."""

    name: str
    type: np.dtype
    width: int


@dataclass(frozen=True)
class PcdHeader:
    """What a PCD file declares."""

    fields: tuple[Field, ...]
    count: int
    encoding: str

    @property
    def row_type(self) -> np.dtype:
        """Packed record of one point, fields named by position: `_` (padding) may occur more than once."""
        return np.dtype([(f"f{i}", field.type, (field.width,)) for i, field in enumerate(self.fields)])


def read_pcd_header(file: BinaryIO) -> PcdHeader:
    """Reads the header from the start of `file`, up to and including its DATA line.

    Raises:
        FormatError: not a PCD file, a header that ends early, or entries that do not fit together.
    """
    entries: dict[str, list[str]] = {}
    while "DATA" not in entries:
        line = file.readline(MAX_LINE_BYTES)
        keyword, *words = line.decode("latin-1").split() or ["#"]
        if keyword.startswith("#") and line.endswith(b"\n"):
            continue
        if not entries and keyword not in KEYWORDS:
            raise FormatError("expected a PCD file, whose header begins with '# .PCD' or VERSION")
        if not line.endswith(b"\n"):
            raise FormatError("the header ends before its DATA line; the file is truncated")
        if keyword not in KEYWORDS:
            raise FormatError(f"header line {' '.join([keyword, *words])[:60]!r} is not PCD")
        if keyword in entries:
            raise FormatError(f"the header has two lines {keyword}")
        entries[keyword] = words
    if missing := [keyword for keyword in ("FIELDS", "SIZE", "TYPE") if keyword not in entries]:
        raise FormatError(f"the header has no line {missing[0]}")
    encoding = " ".join(entries["DATA"])
    if encoding not in ENCODINGS:
        raise FormatError(f"expected DATA {', '.join(ENCODINGS)}, got {encoding[:30]!r}")
    return PcdHeader(_fields(entries), _count(entries), encoding)


def _fields(entries: dict[str, list[str]]) -> tuple[Field, ...]:
    names, sizes, types = entries["FIELDS"], entries["SIZE"], entries["TYPE"]
    widths = entries.get("COUNT", ["1"] * len(names))
    if not len(names) == len(sizes) == len(types) == len(widths):
        found = f"{len(names)}, {len(sizes)}, {len(types)} and {len(widths)}"
        raise FormatError(f"expected as many FIELDS as SIZE, TYPE and COUNT entries, got {found}")
    fields = []
    for name, size, kind, width in zip(names, sizes, types, widths, strict=True):
        if (kind, size) not in TYPES:
            raise FormatError(f"field {name[:30]!r} has the unknown type {kind[:9]} of size {size[:9]}")
        columns = _whole(width, f"COUNT of field {name[:30]!r}")
        fields.append(Field(name, np.dtype(f"<{kind.lower()}{size}"), columns))
    row = sum(field.type.itemsize * field.width for field in fields)
    if not 0 < row <= MAX_ROW_BYTES:
        raise FormatError(f"expected points of 1 to {MAX_ROW_BYTES} bytes, got {row}")
    return tuple(fields)


def _count(entries: dict[str, list[str]]) -> int:
    sides = [_single(entries, keyword) for keyword in ("WIDTH", "HEIGHT")]
    grid = None if None in sides else (sides[0] or 0) * (sides[1] or 0)
    points = _single(entries, "POINTS")
    if points is None and grid is None:
        raise FormatError("the header says neither POINTS nor WIDTH and HEIGHT")
    if points is not None and grid is not None and points != grid:
        raise FormatError(f"the header promises POINTS {points}, but WIDTH x HEIGHT is {grid}")
    count = points if points is not None else grid
    if not count:
        raise FormatError("expected at least one point, got an empty cloud (POINTS 0)")
    return count


def _single(entries: dict[str, list[str]], keyword: str) -> int | None:
    words: Sequence[str] | None = entries.get(keyword)
    return None if words is None else _whole(" ".join(words), keyword)


def _whole(word: str, name: str) -> int:
    if not (word.isascii() and word.isdecimal() and len(word) < 19):
        raise FormatError(f"expected a whole number as {name}, got {word[:30]!r}")
    return int(word)
