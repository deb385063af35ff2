"""Nearest neighbours among voxels: whole coordinates, looked up column by column."""

from dataclasses import dataclass
from functools import cache
from typing import no_type_check

import numpy as np
from jaxtyping import Float32, Int32, Int64
from numba import njit, prange

# Neighbours are looked for this many voxels away: a vain search (197 columns) then costs a third of a tree's.
REACH = 8
# The table of columns takes 4 bytes each: at most 64 MiB, a cloud of 12 bits.
MOST_COLUMNS = 2**24


@dataclass(frozen=True, eq=False)
class VoxelColumns:
    """Sorted voxels, found by their (x, y) in a table; a column holds the rows of equal x and y, by z.

    Attributes:
        low: (2,) smallest x and y.
        starts: (columns of x, columns of y + 1 in flat order) first row of each column, and at the end all rows.
        heights: (M,) z of each row.
        shape: the number of columns along x and y.
    """

    low: Int64[np.ndarray, "2"]
    starts: Int32[np.ndarray, " columns_and_end"]
    heights: Int32[np.ndarray, " m"]
    shape: tuple[int, int]

    @classmethod
    def of(cls, points: Float32[np.ndarray, "m 3"]) -> "VoxelColumns | None":
        """The table of distinct points sorted by (x, y, z); None if they are no voxels or too far apart."""
        # Reductions over the three columns of a row-major array are slow; over contiguous columns they are not.
        x, y, z = np.ascontiguousarray(points.T)
        low_x, low_y = float(x.min()), float(y.min())
        side_x, side_y = float(x.max()) - low_x + 1, float(y.max()) - low_y + 1
        if side_x * side_y > MOST_COLUMNS or not all(map(_are_whole, (x, y, z))):
            return None
        shape = (int(side_x), int(side_y))
        columns = (x.astype(np.int32) - int(low_x)) * shape[1] + (y.astype(np.int32) - int(low_y))
        starts = np.zeros(shape[0] * shape[1] + 1, np.int32)
        np.cumsum(np.bincount(columns, minlength=len(starts) - 1), out=starts[1:])
        return cls(np.array([low_x, low_y], np.int64), starts, z.astype(np.int32), shape)

    def nearest(
        self, queries: Float32[np.ndarray, "q 3"], *, skip_itself: bool = False
    ) -> tuple[Int64[np.ndarray, " q"], Int64[np.ndarray, " q"]]:
        """Squared distance of each query to the nearest voxels, -1 where it is more than REACH; and their number.

        Args:
            queries: whole coordinates.
            skip_itself: leave out a voxel that equals the query.
        """
        squares, counts = np.empty((2, len(queries)), np.int64)
        _nearest(self._local(queries), self.starts, self.heights, self.shape, _offsets(), skip_itself, squares, counts)
        return squares, counts

    def tied(
        self, queries: Float32[np.ndarray, "q 3"], squares: Int64[np.ndarray, " q"], counts: Int64[np.ndarray, " q"]
    ) -> Int64[np.ndarray, " ties"]:
        """The rows of the nearest voxels that `nearest` counted, query after query, in rising order for each."""
        firsts = np.cumsum(counts) - counts
        rows = np.empty(int(counts.sum()), np.int64)
        # The root of each square number within reach, -1 for other numbers.
        roots = np.full(REACH**2 + 1, -1)
        roots[np.arange(REACH + 1) ** 2] = np.arange(REACH + 1)
        table = self.starts, self.heights, self.shape
        _tied(self._local(queries), *table, _offsets(), roots, squares, firsts, rows)
        return rows

    def _local(self, queries: np.ndarray) -> np.ndarray:
        local = queries.astype(np.int64)
        local[:, :2] -= self.low
        return local


def _are_whole(values: np.ndarray) -> bool:
    # Up to 2^24 float32 holds every whole number and every difference exactly.
    return bool(abs(values).max() <= 2**23 and (values == np.rint(values)).all())


@cache
def _offsets() -> np.ndarray:
    """(n, 3) columns (dx, dy) within REACH and their squared distance, nearest first."""
    dx, dy = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1].reshape(2, -1)
    squares = dx**2 + dy**2
    order = np.argsort(squares, kind="stable")
    order = order[squares[order] <= REACH**2]
    return np.stack((dx, dy, squares), axis=1)[order]


@njit(cache=True)
@no_type_check
def _row_at_or_above(heights, low, high, z):
    """The first row of low..high - 1 whose height is z or more; high if there is none."""
    while low < high:
        middle = (low + high) // 2
        if heights[middle] < z:
            low = middle + 1
        else:
            high = middle
    return low


@njit(parallel=True, cache=True)
@no_type_check
def _nearest(queries, starts, heights, shape, offsets, skip_itself, squares, counts):
    for query in prange(len(queries)):
        x, y, z = queries[query, 0], queries[query, 1], queries[query, 2]
        best, count = REACH**2 + 1, 0
        for offset in range(len(offsets)):
            flat_square = offsets[offset, 2]
            if flat_square > best:
                break
            column_x, column_y = x + offsets[offset, 0], y + offsets[offset, 1]
            if not (0 <= column_x < shape[0] and 0 <= column_y < shape[1]):
                continue
            column = column_x * shape[1] + column_y
            first, end = starts[column], starts[column + 1]
            above = _row_at_or_above(heights, first, end, z)
            if skip_itself and flat_square == 0 and above < end and heights[above] == z:
                candidates = (above - 1, above + 1)
            else:
                candidates = (above - 1, above)
            for row in candidates:
                if first <= row < end:
                    square = flat_square + (heights[row] - z) ** 2
                    if square < best:
                        best, count = square, 1
                    elif square == best:
                        count += 1
        if best > REACH**2:
            best, count = -1, 0
        squares[query], counts[query] = best, count


@njit(parallel=True, cache=True)
@no_type_check
def _tied(queries, starts, heights, shape, offsets, roots, squares, firsts, rows):
    for query in prange(len(queries)):
        if squares[query] < 0:
            continue
        x, y, z = queries[query, 0], queries[query, 1], queries[query, 2]
        free = firsts[query]
        for offset in range(len(offsets)):
            rest = squares[query] - offsets[offset, 2]
            if rest < 0:
                break
            column_x, column_y = x + offsets[offset, 0], y + offsets[offset, 1]
            if roots[rest] < 0 or not (0 <= column_x < shape[0] and 0 <= column_y < shape[1]):
                continue
            column = column_x * shape[1] + column_y
            first, end = starts[column], starts[column + 1]
            for height in (z - roots[rest], z + roots[rest]):
                row = _row_at_or_above(heights, first, end, height)
                if row < end and heights[row] == height:
                    place = free
                    while place > firsts[query] and rows[place - 1] > row:
                        rows[place] = rows[place - 1]
                        place -= 1
                    rows[place] = row
                    free += 1
                if rest == 0:
                    break
