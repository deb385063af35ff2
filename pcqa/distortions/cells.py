"""Points on a grid: cells as single numbers, and the points of a cell as one point."""

import numpy as np
from jaxtyping import Float, Int

from pcqa.cloud import Cloud
from pcqa.distortions.lengths import FINEST_BITS


def cell_keys(cells: Int[np.ndarray, "P 3"]) -> Int[np.ndarray, "P"]:
    """One number for each cell, in the order of x, then y, then z; each of those from 0 to 2^21 - 1."""
    x, y, z = cells.T
    return (((x << (FINEST_BITS + 1)) + y) << (FINEST_BITS + 1)) + z


def occupied(cells: Int[np.ndarray, "P 3"]) -> Int[np.ndarray, "Q 3"]:
    """The different cells, by x, then y, then z."""
    return cells[np.unique(cell_keys(cells), return_index=True)[1]]


def merged(
    cloud: Cloud, cells: Int[np.ndarray, "P 3"], origin: Float[np.ndarray, "3"], step: float, *, within: float
) -> Cloud:
    """One point for each occupied cell, at `origin` + (cell + `within`) x `step`, with the mean colour, without normal.

    The points come in the order of their cells, by x, then y, then z.
    """
    _, first, member = np.unique(cell_keys(cells), return_index=True, return_inverse=True)
    points = (origin + (cells[first] + within) * step).astype(cloud.points.dtype)
    if cloud.colors is None:
        return Cloud(points)
    sums = np.stack([np.bincount(member, weights=channel) for channel in cloud.colors.T], axis=1)
    return Cloud(points, (sums / np.bincount(member)[:, None]).astype(np.float32).clip(0, 1))
