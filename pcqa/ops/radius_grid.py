"""Points sorted into cubic cells, for loops over all neighbours within a radius."""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit


@dataclass(frozen=True, eq=False)
class CellFrame:
    """Cells that cover a box, and `reach` more on every side; several clouds are compared in one frame.

    Attributes:
        low: (3,) corner of the first cell.
        cell: length of a cell's edges.
        shape: (3,) number of cells along x, y, z.
        reach: how many cells to each side of its own a search looks through.
    """

    low: Float[np.ndarray, "3"]
    cell: float
    shape: Int[np.ndarray, "3"]
    reach: int

    @classmethod
    def around(cls, points: Float[np.ndarray, "p 3"], radius: float, reach: int) -> "CellFrame":
        """The frame in which every point within `reach * radius` of one of `points` is at most `reach` cells away.

        The box may be up to 2,000,000 radii long, so that the number of a cell fits an int64.
        """
        cell = radius * (1 + 1e-9)  # the rounding of a coordinate's cell must not lose a neighbour
        low = points.min(axis=0) - reach * cell
        shape = np.floor((points.max(axis=0) - low) / cell).astype(np.int64) + reach + 1
        return cls(low, cell, shape, reach)


@dataclass(frozen=True, eq=False)
class RadiusGrid:
    """A cloud's points in order of their cells; points of one column of cells along z lie in one run.

    Points outside the frame are put in its outermost cells: a search compares distances and passes them by.

    Attributes:
        order: (P,) row in the cloud of each sorted point; points of one cell keep their order.
        points: (3, P) sorted coordinates.
        keys: (C,) numbers of the cells that hold points, increasing.
        starts: (C + 1,) first sorted point of each, and P.
    """

    order: Int[np.ndarray, "p"]
    points: Float[np.ndarray, "3 p"]
    keys: Int[np.ndarray, "c"]
    starts: Int[np.ndarray, "c_plus_1"]

    @classmethod
    def of(cls, points: Float[np.ndarray, "p 3"], frame: CellFrame) -> "RadiusGrid":
        """Sorts the points into the frame's cells."""
        # Clipped before the conversion: a point far away would overflow an integer.
        cells = np.clip(np.floor((points - frame.low) / frame.cell), 0, frame.shape - 1).astype(np.int64)
        keys = (cells[:, 0] * frame.shape[1] + cells[:, 1]) * frame.shape[2] + cells[:, 2]
        order = np.argsort(keys, kind="stable")
        occupied, starts = np.unique(keys[order], return_index=True)
        return cls(order, np.ascontiguousarray(points[order].T), occupied, np.append(starts, len(points)))


BLOCK = 64
"""Cells that one thread looks at in a row: they share its working memory and its cursors."""


@njit(cache=True)
@no_type_check
def new_cursors(reach):
    """Before the first cell of a block, see `near_runs`."""
    return np.full((2 * reach + 1) ** 2, -1)


@njit(cache=True)
@no_type_check
def near_runs(key, keys, starts, shape, reach, cursors, runs):
    """The runs [first, last) of sorted points in the cells within `reach` of cell `key`.

    Args:
        key: a cell at least `reach` from the border of the frame; not lower than in the call before.
        keys: of the searched `RadiusGrid`.
        starts: likewise.
        shape: of the frame.
        reach: up to that of the frame.
        cursors: of `new_cursors`, moved on by each call: the next search begins where this one ended.
        runs: ((2 reach + 1)^2, 2) int64, filled from the front.

    Returns:
        How many runs, and how many points they hold.
    """
    found = 0
    held = 0
    column = 0
    for i in range(-reach, reach + 1):
        for j in range(-reach, reach + 1):
            middle = key + (i * shape[1] + j) * shape[2]
            place = cursors[column]
            if place < 0:
                place = np.searchsorted(keys, middle - reach)
            while place < len(keys) and keys[place] < middle - reach:
                place += 1
            cursors[column] = place
            column += 1
            first = starts[place]
            while place < len(keys) and keys[place] <= middle + reach:
                place += 1
            last = starts[place]
            if last > first:
                runs[found, 0] = first
                runs[found, 1] = last
                found += 1
                held += last - first
    return found, held
