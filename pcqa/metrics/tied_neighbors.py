"""The k nearest points where equal distances have an order: a search that no tree and no file order decides."""

from typing import no_type_check

import numpy as np
from jaxtyping import Float
from numba import njit
from scipy.spatial import KDTree

from pcqa.metrics.point_set import Nearest

# Neighbours asked for beyond k. On voxels few points are further tied with the k-th; their queries are asked again.
SPARE = 15
# For fewer queries, starting threads takes longer than the search.
LEAST_FOR_THREADS = 1000


def nearest_lowest_row(tree: KDTree, queries: Float[np.ndarray, "q 3"], k: int) -> Nearest:
    """The k nearest points of each query in order of (distance, row).

    Points of a voxel grid have many neighbours at one distance, and a tree returns them in the order of its own boxes.
    MATLAB's knnsearch takes the lowest row first; so does this.

    Args:
        tree: the searched points, at least k.
        queries: (q, 3); 16 (k + 15) bytes a query are needed at once.
        k: at least 1.
    """
    wanted = min(k + SPARE, tree.n)
    workers = -1 if len(queries) >= LEAST_FOR_THREADS else 1
    distances, rows = (np.reshape(found, (-1, wanted)) for found in tree.query(queries, k=wanted, workers=workers))
    _order_ties(distances, rows)
    nearest = Nearest(distances[:, :k], rows[:, :k])
    # Of points tied with the k-th some may be missing.
    unsure = np.flatnonzero(distances[:, -1] == distances[:, k - 1])
    while len(unsure) and wanted < tree.n:
        wanted = min(2 * wanted, tree.n)
        distances, rows = (np.asarray(found) for found in tree.query(queries[unsure], k=wanted, workers=workers))
        _order_ties(distances, rows)
        nearest.distances[unsure], nearest.rows[unsure] = distances[:, :k], rows[:, :k]
        unsure = unsure[distances[:, -1] == distances[:, k - 1]]
    return nearest


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
