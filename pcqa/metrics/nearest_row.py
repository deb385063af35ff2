"""The nearest point of each query, where equal distances go to the lowest row."""

import numpy as np
from jaxtyping import Int

from pcqa.metrics.point_set import PointSet
from pcqa.metrics.tied_neighbors import nearest_lowest_row


def nearest_row(searched: PointSet, queries: PointSet) -> Int[np.ndarray, " q"]:
    """Row of the searched point nearest to each query; the lowest of equally near ones, as MATLAB's search.

    Cheaper than asking `nearest_lowest_row` for all: it is asked where the two nearest are equally near.
    """
    nearest = searched.nearest(queries, 2)
    rows = nearest.rows[:, 0].copy()
    tied = np.flatnonzero(nearest.distances[:, 0] == nearest.distances[:, -1]) if len(searched) > 1 else []
    if len(tied):
        rows[tied] = nearest_lowest_row(searched, queries.points[tied], 1).rows[:, 0]
    return rows
