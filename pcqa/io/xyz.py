"""Text tables of points: XYZ, TXT, XYZN, XYZRGB."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pcqa.cloud import Cloud
from pcqa.io.cloud_file import FormatError, cloud_file
from pcqa.io.columns import COLORS, COORDINATES, NORMALS, check_names, complete
from pcqa.io.text_rows import is_number, parse_rows, text_lines

# What columns 4 to 6 are where the suffix says it.
SUFFIX_MEANING = {".xyzn": "normals", ".xyzrgb": "colors"}

# How far the length of a normal may be from 1: they are often written with three digits.
UNIT_TOLERANCE = 0.005

NAME_THEM = "name the columns in a first line, such as 'x y z intensity r g b'"


def read_xyz(path: str | Path) -> Cloud:
    """Reads a text file with one point in a line, its numbers separated by blanks, commas or semicolons.

    Lines that begin with `#` or `//` are comments. Before the first point, a lone whole number is the number of points,
    and a line of names, commented or not, says what the columns are if `x y z` are among them: `nx ny nz` are normals,
    `r g b`, `red green blue` or `diffuse_red ...` are colours, in upper or lower case; others are left out. Without
    names, the first three columns are x, y, z, and of the others

    - in `.xyzn` files 4 to 6 are normals, in `.xyzrgb` files colours, and further ones are left out;
    - a single one (an intensity, a label) is left out;
    - three are normals or colours, six are both in either order: normals where a value is negative and all lie in
      [-1, 1], colours where none is negative. Where every row has length 1 and no value is negative, they could be
      either and are refused.

    Colours are divided by 255 if one of them is above 1; above 255 they are refused.

    Returns:
        The cloud; its points are float64.

    Raises:
        InputError: a missing or malformed file, no points, columns whose meaning is open, or numbers that are not
            finite.
    """
    path = Path(path)
    with cloud_file(path, "text") as file:
        layout, points, others = _read(file, path.suffix.lower())
        if layout.promised not in (None, len(points)):
            raise FormatError(f"the first line promises {layout.promised} points, {len(points)} follow")
        meanings = layout.meanings or _guess(others)
        colors = normals = None
        for place, meaning in enumerate(meanings):
            values = np.ascontiguousarray(others[:, 3 * place : 3 * place + 3])
            if meaning == "normals":
                normals = values
            else:
                colors = _as_shares(values)
    return Cloud(points, colors, normals, source=path)


@dataclass(frozen=True)
class _Layout:
    """Which columns are wanted: x, y, z, then triples with their meanings; None: to be guessed from the values."""

    delimiter: str | None
    width: int
    columns: list[int]
    meanings: list[str] | None
    promised: int | None


def _read(file: BinaryIO, suffix: str) -> tuple[_Layout, np.ndarray, np.ndarray]:
    """Layout, points (float64) and the other wanted columns (float32, enough for colours and normals)."""
    blocks = text_lines(file)
    first = next(blocks, [])
    layout = _layout(first, suffix)
    points, others = [], []
    row = 0
    for block in chain([first[_header_length(first) :]], blocks):
        lines = [line for line in block if not line.startswith(("#", "//"))]
        if not lines:
            continue
        table = parse_rows(lines, layout.width, first_row=row, delimiter=layout.delimiter)
        row += len(lines)
        points.append(table[:, layout.columns[:3]])
        # Values beyond float32 become inf here and are refused as not finite.
        with np.errstate(over="ignore"):
            others.append(table[:, layout.columns[3:]].astype(np.float32))
    return layout, np.concatenate(points), np.concatenate(others)


def _header_length(lines: Sequence[str]) -> int:
    """Number of lines before the first one with at least two numbers."""
    return next((place for place, line in enumerate(lines) if _is_row(line)), len(lines))


def _is_row(line: str) -> bool:
    words = line.replace(",", " ").replace(";", " ").split()
    return len(words) > 1 and all(is_number(word) for word in words)


def _layout(lines: Sequence[str], suffix: str) -> _Layout:
    start = _header_length(lines)
    names = promised = None
    for line in lines[:start]:
        words = line.lstrip("#/ \t").replace(",", " ").replace(";", " ").lower().split()
        if set(COORDINATES) <= set(words):
            names = words
        elif line.startswith(("#", "//")):
            continue
        elif line.strip().isdecimal() and len(line) < 19:
            promised = int(line)
        else:
            raise FormatError(
                f"expected a row of numbers, column names with x y z, or a # comment: {line[:60].strip()!r}"
            )
    if start == len(lines):
        raise FormatError("expected lines of numbers, got none: the cloud is empty")
    delimiter = next((sign for sign in ",;" if sign in lines[start]), None)
    width = len(lines[start].split(delimiter))
    if names is not None:
        return _named_layout(names, delimiter, width, promised)
    if suffix in SUFFIX_MEANING and width >= 6:
        return _Layout(delimiter, width, list(range(6)), [SUFFIX_MEANING[suffix]], promised)
    if width in (3, 4):
        return _Layout(delimiter, width, [0, 1, 2], [], promised)
    if width in (6, 9):
        return _Layout(delimiter, width, list(range(width)), None, promised)
    raise FormatError(f"{width} numbers in a line could mean anything; {NAME_THEM}")


def _named_layout(names: Sequence[str], delimiter: str | None, width: int, promised: int | None) -> _Layout:
    if len(names) != width:
        raise FormatError(f"the header names {len(names)} columns, the first row has {width}")
    check_names(names, "column")
    triples = {"colors": complete(COLORS, names), "normals": complete(NORMALS, names)}
    found = {meaning: triple for meaning, triple in triples.items() if triple is not None}
    wanted = [*COORDINATES, *(name for triple in found.values() for name in triple)]
    return _Layout(delimiter, width, [names.index(name) for name in wanted], list(found), promised)


def _guess(others: np.ndarray) -> list[str]:
    """What each three of the columns after x, y, z are."""
    meanings = [_guess_triple(others[:, place : place + 3], place + 4) for place in range(0, others.shape[1], 3)]
    if len(set(meanings)) < len(meanings):
        raise FormatError(f"columns 4 to 6 and 7 to 9 both look like {meanings[0]}; {NAME_THEM}")
    return meanings


def _guess_triple(values: np.ndarray, column: int) -> str:
    low, high = float(values.min()), float(values.max())
    if low < 0 and (low < -1 or high > 1):
        problem = f"from {low:g} to {high:g} are neither colours (from 0) nor normals (-1 to 1)"
    elif low >= 0 and high <= 1 and (np.abs(np.einsum("ij,ij->i", values, values) - 1) < 2 * UNIT_TOLERANCE).all():
        problem = "have length 1 and no negative value: they could be colours or normals"
    else:
        return "normals" if low < 0 else "colors"
    raise FormatError(f"columns {column} to {column + 2} {problem}; {NAME_THEM}")


def _as_shares(colors: np.ndarray) -> np.ndarray:
    peak = float(colors.max())
    if peak > 255 and np.isfinite(peak):
        raise FormatError(f"expected colours from 0 to 255, or from 0 to 1, got {peak:g}")
    return colors / np.float32(255) if peak > 1 else colors
