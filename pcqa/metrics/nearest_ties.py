"""The nearest points of another cloud, all that are equally near, as MPEG's pc_error chooses them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from pcqa.metrics.merged_cloud import MergedCloud
from rankqa_datasets.errors import InputError

# Neighbours belong together while their squared distances, in order, rise by less than this, whatever the unit.
LEAST_STEP = 1e-8
# The program searches 10 neighbours, then 5 more as long as all are at one distance.
NEIGHBORS = 10
MORE_NEIGHBORS = 5
# Rows searched at once: a search of 30 neighbours takes 100 MB.
CHUNK = 200_000


@dataclass(frozen=True, eq=False)
class NearestTies:
    """A set of one or more nearest points for each of Q queries: `rows[starts[q] : starts[q] + sizes[q]]`.

    Attributes:
        squares: (Q,) squared distance to the nearest point: float32 differences, squared and summed in float64.
        starts: (Q,) where each query's set begins.
        rows: (T,) rows of the searched cloud, nearest first, equally near ones in rising order.
        is_nearest: (T,) whether the row is exactly as near as the first of its set.
    """

    squares: Float64[np.ndarray, " q"]
    starts: Int64[np.ndarray, " q"]
    rows: Int64[np.ndarray, " t"]
    is_nearest: Bool[np.ndarray, " t"]

    @cached_property
    def sizes(self) -> Int64[np.ndarray, " q"]:
        """Number of points in each set."""
        return np.diff(self.starts, append=len(self.rows))

    @cached_property
    def queries(self) -> Int64[np.ndarray, " t"]:
        """The query to which each of `rows` belongs."""
        return np.repeat(np.arange(len(self.starts)), self.sizes)

    @property
    def first_rows(self) -> Int64[np.ndarray, " q"]:
        """One nearest point for each query: of several, the first of the sorted cloud."""
        return self.rows[self.starts]


def nearest_ties(queries: MergedCloud, searched: MergedCloud) -> NearestTies:
    """Finds the tie set of each point of `queries` among the points of `searched`.

    As MPEGGroup/mpeg-pcc-dmetric 0.14.2: of the 10 nearest points, those whose squared distances rise by less than 1e-8
    from one to the next; where all 10 are equally near, of the 15 nearest, and so on. The program ends at 30 and then
    keeps the 30 that its tree met first; here all are kept, so that no result depends on the order of a tree.

    Raises:
        InputError: a difference of coordinates beyond float32.
    """
    if queries.columns is None or searched.columns is None:
        return _in_order(len(queries), *_tree_ties(queries.points, searched, np.arange(len(queries))))
    squares, sizes = searched.columns.nearest(queries.points)
    rows = searched.columns.tied(queries.points, squares, sizes)
    is_nearest = np.ones(len(rows), bool)
    far = np.flatnonzero(squares < 0)
    if len(far) == 0:
        return NearestTies(squares.astype(np.float64), np.cumsum(sizes) - sizes, rows, is_nearest)
    near = np.repeat(np.arange(len(sizes)), sizes)
    found = (np.flatnonzero(squares >= 0), squares[squares >= 0].astype(np.float64), near, rows, is_nearest)
    from_tree = _tree_ties(queries.points[far], searched, far)
    return _in_order(len(queries), *(np.concatenate(parts) for parts in zip(found, from_tree, strict=True)))


def _in_order(num_queries: int, resolved, resolved_squares, queries, rows, is_nearest) -> NearestTies:
    squares = np.empty(num_queries)
    squares[resolved] = resolved_squares
    order = np.argsort(queries, kind="stable")
    sizes = np.bincount(queries, minlength=num_queries)
    return NearestTies(squares, np.cumsum(sizes) - sizes, rows[order], is_nearest[order])


def _tree_ties(points: Float32[np.ndarray, "q 3"], searched: MergedCloud, names: Int64[np.ndarray, " q"]):
    """Searches the tree for the queries called `names`.

    Returns:
        (names, squares) of the queries and (query, row, is_nearest) of their ties; the queries in any order.
    """
    parts = []
    for start in range(0, len(points), CHUNK):
        chunk, chunk_names = points[start : start + CHUNK], names[start : start + CHUNK]
        # Two neighbours settle the points without ties.
        k = 2
        while len(chunk) > 0:
            squares, rows = _neighbors(chunk, searched, k)
            is_settled = np.full(len(chunk), k >= len(searched))
            if k == 2:
                # With a margin for the rounding of the squares: a third point could be nearer than the first.
                is_settled |= squares[:, -1] - squares[:, 0] >= LEAST_STEP + 1e-6 * squares[:, 0]
            else:
                is_settled |= squares[:, -1] != squares[:, 0]
            is_tied = np.ones(squares.shape, bool)
            is_tied[:, 1:] = np.logical_and.accumulate(np.diff(squares, axis=1) < LEAST_STEP, axis=1)
            is_tied &= is_settled[:, None]
            query, place = np.nonzero(is_tied)
            is_nearest = squares[query, place] == squares[query, 0]
            settled = chunk_names[is_settled], squares[is_settled, 0]
            parts.append((*settled, chunk_names[query], rows[query, place], is_nearest))
            chunk, chunk_names = chunk[~is_settled], chunk_names[~is_settled]
            k = NEIGHBORS if k == 2 else k + MORE_NEIGHBORS if k < 30 else 2 * k
    return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))


def _neighbors(points: np.ndarray, searched: MergedCloud, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Squared distances and rows, (Q, k), by distance and row."""
    k = min(k, len(searched))
    rows = np.reshape(searched.point_set.tree.query(points, k=k, workers=-1)[1], (-1, k)).astype(np.int64)
    with np.errstate(over="ignore"):
        differences = points[:, None] - searched.points[rows]
    if not np.isfinite(differences).all():
        raise InputError(f"{searched.name}: the clouds lie farther apart than float32 can say (3.4e38)")
    squares = np.square(differences.astype(np.float64)).sum(axis=2)
    order = np.lexsort((rows, squares), axis=1)
    return np.take_along_axis(squares, order, axis=1), np.take_along_axis(rows, order, axis=1)
