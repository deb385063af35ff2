"""LAB2000HL, the colour space in which PCQM compares colours."""

from functools import cache
from importlib.resources import files

import numpy as np
from jaxtyping import Float, UInt8

# sRGB's linear light to XYZ for D65, and the white, with the digits of the program MEPP-team/PCQM.
XYZ_OF_RGB = np.array([[0.412396, 0.357583, 0.180493], [0.212586, 0.71517, 0.0722005], [0.0192972, 0.119184, 0.950497]])
WHITE = np.array([0.950456, 1.0, 1.088754])


def lab2000hl(colors: UInt8[np.ndarray, "p 3"]) -> Float[np.ndarray, "p 3"]:
    """L, a and b of sRGB colours in LAB2000HL: like CIELAB, with distances near those of CIEDE2000 and straight hues.

    Lissner and Urban, "Toward a unified color space for perception-based image processing", IEEE TIP 2012, as
    the program MEPP-team/PCQM reads its tables.

    Args:
        colors: 8-bit red, green, blue.

    Returns:
        (P, 3) float64: L from 0 to 75.153, a and b about -48 to 48.
    """
    cielab = _cielab(colors)
    lightness = np.interp(cielab[:, 0], np.arange(100_001) * 0.001, _lightness_table())
    return np.column_stack([lightness, _interpolate(_chroma_plane(), cielab[:, 1:])])


def _cielab(colors: UInt8[np.ndarray, "p 3"]) -> Float[np.ndarray, "p 3"]:
    levels = np.arange(256) / 255.0
    linear = np.where(levels > 0.0404482362771076, ((levels + 0.055) / 1.055) ** 2.4, levels / 12.92)
    xyz = linear[colors] @ XYZ_OF_RGB.T / WHITE
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 841 / 108 * xyz + 4 / 29).T
    return np.column_stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)])


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
def _chroma_plane() -> Float[np.ndarray, "2 257 257"]:
    """The axes a and b for a* (rows) and b* (columns) of -128 to 128; source and licence: data/README.md."""
    with (files("pcqa.metrics") / "data" / "lab2000hl.npz").open("rb") as file, np.load(file) as stored:
        return stored["steps"].cumsum(axis=1).cumsum(axis=2) / 10_000


def _interpolate(plane: Float[np.ndarray, "2 257 257"], chroma: Float[np.ndarray, "p 2"]) -> Float[np.ndarray, "p 2"]:
    corners = np.floor(chroma)
    u, v = (chroma - corners).T
    i, j = corners.T.astype(np.intp) + 128
    below, above = (plane[:, row, j] * (1 - v) + plane[:, row, j + 1] * v for row in (i, i + 1))
    return (below * (1 - u) + above * u).T
