"""LAB2000HL, the colour space in which PCQM compares colours.

Lissner and Urban, "Toward a unified color space for perception-based image processing", IEEE TIP 2012: like CIELAB,
with distances near those of CIEDE2000 and straight hues. Lightness has a formula. The plane of the two other axes came
out of a numerical optimisation, is published as a table only, and is read from the user's copy.
"""

from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from rankqa_datasets.errors import InputError

# sRGB's linear light to XYZ for D65, and the white, with the digits of the program MEPP-team/PCQM.
XYZ_OF_RGB = np.array([[0.412396, 0.357583, 0.180493], [0.212586, 0.71517, 0.0722005], [0.0192972, 0.119184, 0.950497]])
WHITE = np.array([0.950456, 1.0, 1.088754])

# Linear light of the 256 levels of a channel.
LEVELS = np.arange(256) / 255.0
LINEAR = np.where(LEVELS > 0.0404482362771076, ((LEVELS + 0.055) / 1.055) ** 2.4, LEVELS / 12.92)

# Grid of a* (rows) and b* (columns), -128 to 128 in steps of 1; one file for each axis of the plane.
GRID = 257
TABLES = ("RegularGrid_0_0_1.txt", "RegularGrid_0_0_2.txt")


def lightness_2000hl(colors: UInt8[np.ndarray, "p 3"]) -> Float[np.ndarray, " p"]:
    """L of 8-bit sRGB colours in LAB2000HL, 0 to 75.153."""
    red, green, blue = np.outer(XYZ_OF_RGB[1], LINEAR)
    y = red[colors[:, 0]] + green[colors[:, 1]] + blue[colors[:, 2]]
    return np.interp(116.0 * _root(y) - 16.0, np.arange(100_001) * 0.001, _lightness_table())


def chroma_2000hl(colors: UInt8[np.ndarray, "p 3"], tables: Path) -> Float[np.ndarray, "p 2"]:
    """A and b of 8-bit sRGB colours in LAB2000HL, about -48 to 48.

    Args:
        colors: red, green, blue.
        tables: folder with the files `TABLES`, as in `resources` of the program MEPP-team/PCQM.

    Raises:
        InputError: a file that is not there, or is not such a table.
    """
    plane = np.stack([_read_table(tables / name) for name in TABLES])
    chroma = _cielab(colors)[:, 1:]
    corners = np.floor(chroma)
    u, v = (chroma - corners).T
    i, j = corners.T.astype(np.intp) + GRID // 2
    below, above = (plane[:, row, j] * (1 - v) + plane[:, row, j + 1] * v for row in (i, i + 1))
    return (below * (1 - u) + above * u).T


def _cielab(colors: UInt8[np.ndarray, "p 3"]) -> Float[np.ndarray, "p 3"]:
    x, y, z = _root(LINEAR[colors] @ XYZ_OF_RGB.T / WHITE).T
    return np.column_stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)])


def _root(xyz: np.ndarray) -> np.ndarray:
    """CIELAB's cube root, straight near black."""
    return np.where(xyz > 0.008856, np.cbrt(xyz), 841 / 108 * xyz + 4 / 29)


@cache
def _lightness_table() -> Float[np.ndarray, "levels"]:
    """L of LAB2000HL for L* = 0, 0.001 ... 100: the integral of 1 / S_L of CIEDE2000, so that distances along L agree.

    Rounded to 4 digits this is, entry for entry, the table that the authors publish.
    """
    nodes, weights = np.polynomial.legendre.leggauss(5)
    middles = np.arange(100_000)[:, None] * 0.001 + 0.0005
    squares = (middles + 0.0005 * nodes - 50.0) ** 2
    steps = (1 / (1 + 0.015 * squares / np.sqrt(20.0 + squares)) * weights).sum(axis=1) * 0.0005
    return np.round(np.concatenate([[0.0], np.cumsum(steps)]), 4)


@cache
def _read_table(path: Path) -> Float[np.ndarray, "257 257"]:
    advice = f"give the folder `resources` of github.com/MEPP-team/PCQM, which has {' and '.join(TABLES)}"
    try:
        words = path.read_text(encoding="ascii", errors="replace").split()
        numbers = np.array(words, np.float64)
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror}): {advice}") from None
    except ValueError:
        raise InputError(f"{path} is not a table of numbers: {advice}") from None
    if len(numbers) != GRID**2 or not np.isfinite(numbers).all():
        raise InputError(f"{path}: expected {GRID} x {GRID} numbers, got {len(numbers)}: {advice}")
    return numbers.reshape(GRID, GRID).T  # b* runs slowest in the file
