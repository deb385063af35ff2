"""Points, colours and normals out of the named columns that every format stores in its own way."""

from collections.abc import Collection, Iterable, Mapping
from itertools import chain, islice
from typing import TypeAlias

import numpy as np

from pcqa.io.cloud_file import FormatError

COORDINATES = ("x", "y", "z")
NORMALS = (("nx", "ny", "nz"), ("normal_x", "normal_y", "normal_z"))
COLORS = (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b"))

# Largest value of a colour type; float colours are in [0, 1] already.
COLOR_PEAKS = {"u1": 255.0, "u2": 65535.0, "f4": 1.0, "f8": 1.0}

# float32 holds whole numbers up to 2**24 only.
WIDE_TYPES = ("f8", "i4", "u4", "i8", "u8")

Block: TypeAlias = Mapping[str, np.ndarray]
"""Some rows of a file: column name -> (rows,), in any numeric type."""

Arrays: TypeAlias = tuple[np.ndarray, np.ndarray | None, np.ndarray | None]
"""Points, colours, normals, as `Cloud` takes them."""


def check_names(names: Collection[str], kind: str) -> None:
    """Refuses columns without x, y, z, or with a name twice.

    Args:
        names: the column names in the file's order.
        kind: what a column is called in messages, such as "vertex property".

    Raises:
        FormatError: a coordinate is missing or a name occurs twice.
    """
    listed = ", ".join(names)[:200]
    if missing := [name for name in COORDINATES if name not in names]:
        raise FormatError(f"expected {kind} x, y, z; {', '.join(missing)} missing in: {listed or 'none'}")
    if twice := [name for name in set(names) if list(names).count(name) > 1]:
        raise FormatError(f"{kind} {min(twice)!r} occurs twice in: {listed}")


def assemble(blocks: Iterable[Block], types: Mapping[str, np.dtype], count: int) -> Arrays:
    """Gathers `count` rows, a block at a time, so that only the result and one block are in memory.

    Coordinates are float64 where one is stored as double or as an integer of 32 bits or more, else float32. Colours are
    divided by the peak of their type. Columns with other names are left out.

    Args:
        blocks: the rows in order.
        types: column name -> the type in the file. A coordinate must be there.
        count: number of rows that the header promises. Where the file is too short for them, `blocks` must raise before
            its first block: nothing is allocated until then.

    Raises:
        FormatError: a colour or normal that is not complete, colours of an unknown type, fewer rows than `count`.
    """
    blocks = iter(blocks)
    # Before anything is allocated: the first block comes only from a file that can hold what its header promises.
    first = list(islice(blocks, 1))
    kinds = {name: dtype.str[1:] for name, dtype in types.items()}
    wide = any(kinds[name] in WIDE_TYPES for name in COORDINATES)
    points = np.empty((count, 3), np.float64 if wide else np.float32)
    targets: list[tuple[tuple[str, ...], np.ndarray]] = [(COORDINATES, points)]
    colors = normals = None
    peak = 1.0
    if color_names := complete(COLORS, types):
        peak = _color_peak({kinds[name] for name in color_names})
        colors = np.empty((count, 3), np.float32)
        targets.append((color_names, colors))
    if normal_names := complete(NORMALS, types):
        normals = np.empty((count, 3), np.float32)
        targets.append((normal_names, normals))
    start = 0
    # Doubles beyond float32 become inf here and are refused as not finite.
    with np.errstate(over="ignore", invalid="ignore"):
        for block in chain(first, blocks):
            stop = start + len(block["x"])
            for names, target in targets:
                for column, name in enumerate(names):
                    target[start:stop, column] = block[name]
            if colors is not None and peak != 1:
                colors[start:stop] /= np.float32(peak)
            start = stop
    if start < count:
        raise FormatError(f"the header promises {count} points, only {start} follow; the file is truncated")
    return points, colors, normals


def complete(alternatives: Iterable[tuple[str, str, str]], names: Collection[str]) -> tuple[str, str, str] | None:
    """The first of the alternative triples that is among `names`.

    Raises:
        FormatError: one or two names of a triple are there, the others not.
    """
    for triple in alternatives:
        present = [name for name in triple if name in names]
        if present and len(present) < 3:
            raise FormatError(f"expected all of the columns {', '.join(triple)}, got only {', '.join(present)}")
        if present:
            return triple
    return None


def _color_peak(kinds: set[str]) -> float:
    if len(kinds) > 1 or not kinds <= COLOR_PEAKS.keys():
        found = ", ".join(sorted(kinds))
        raise FormatError(f"expected colours of type uchar, ushort, float or double, all the same, got {found}")
    return COLOR_PEAKS[min(kinds)]
