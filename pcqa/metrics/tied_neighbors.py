"""The k nearest points where equal distances have an order: a search that no tree and no file order decides."""

from typing import no_type_check

import numpy as np
from jaxtyping import Float
from numba import njit
from scipy.spatial import KDTree

from pcqa.metrics.point_set import Nearest, PointSet

# Neighbours asked for beyond k. Where more points are tied with the k-th, four times as many are asked for.
SPARE = 8
# Neighbours in one search for ties: 64 MB.
MOST_AT_ONCE = 1 << 22
# For fewer queries, starting threads takes longer than the search.
LEAST_FOR_THREADS = 1000


def nearest_lowest_row(searched: PointSet, queries: Float[np.ndarray, "q 3"], k: int) -> Nearest:
    """The k nearest points of each query in order of (distance, row).

    Points of a voxel grid have many neighbours at one distance, and a tree returns them in the order of its own boxes.
    MATLAB's knnsearch takes the lowest row first; so does this.

    Args:
        searched: at least k points.
        queries: (q, 3); 16 (k + 8) bytes a query are needed at once.
        k: at least 1.
    """
    found = searched.search_gpu(queries, k)
    if found is not None:
        return found
    tree = searched.tree
    wanted = min(k + SPARE, tree.n)
    found = _search(tree, queries, wanted)
    nearest = Nearest(found.distances[:, :k], found.rows[:, :k])
    # Of points tied with the k-th some may be missing.
    unsure = np.flatnonzero(found.distances[:, -1] == found.distances[:, k - 1])
    while len(unsure) and wanted < tree.n:
        wanted = min(k + 4 * (wanted - k), tree.n)
        still_unsure = []
        # A cloud may have thousands of points at one position.
        for rows in np.array_split(unsure, -(-len(unsure) * wanted // MOST_AT_ONCE)):
            found = _search(tree, queries[rows], wanted)
            nearest.distances[rows], nearest.rows[rows] = found.distances[:, :k], found.rows[:, :k]
            still_unsure.append(rows[found.distances[:, -1] == found.distances[:, k - 1]])
        unsure = np.concatenate(still_unsure)
    return nearest


def _search(tree: KDTree, queries: np.ndarray, k: int) -> Nearest:
    workers = -1 if len(queries) >= LEAST_FOR_THREADS else 1
    distances, rows = (np.reshape(found, (-1, k)) for found in tree.query(queries, k=k, workers=workers))
    _order_ties(distances, rows)
    return Nearest(distances, rows)


@njit(cache=True)
@no_type_check
def _order_ties(distances, rows):
    """Sorts each row of `rows`, in place, where its distances, ascending already, are equal."""
    for query in range(len(rows)):
        for last in range(1, rows.shape[1]):
            row, place = rows[query, last], last
            while place > 0 and distances[query, place - 1] == distances[query, last] and rows[query, place - 1] > row:
                rows[query, place] = rows[query, place - 1]
                place -= 1
            rows[query, place] = row
