"""A coloured cloud with each position once, as the MATLAB metrics prepare theirs."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class MergedPoints:
    """Positions sorted by (x, y, z), each once, with 8-bit colours.

    Attributes:
        points: (P, 3) in the cloud's unit.
        rgb: (P, 3) whole numbers from 0 to 255.
    """

    points: Float[np.ndarray, "p 3"]
    rgb: Float[np.ndarray, "p 3"]


def merge_points(points: Float[np.ndarray, "p 3"], colors: Float[np.ndarray, "p 3"]) -> MergedPoints:
    """Points at one position become one, with the mean of their 8-bit colours, rounded half up.

    Args:
        points: (P, 3), any order.
        colors: (P, 3) in [0, 1].
    """
    x, y, z = points.T
    order = np.lexsort((z, y, x))
    points, rgb = points[order], rounded(255 * colors[order].astype(np.float64))
    first = np.flatnonzero(np.r_[True, (points[1:] != points[:-1]).any(axis=1)])
    counts = np.diff(np.r_[first, len(points)])
    # Sums of whole numbers are exact, so that the order of equal points in the file does not matter.
    return MergedPoints(points[first], rounded(np.add.reduceat(rgb, first) / counts[:, None]))


def rounded(values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Values of 0 or more to the nearest whole number, halves up, as MATLAB's round."""
    return np.floor(values + 0.5)
