"""Surfaces around the reference points, for PCQM: their curvature, and projections on the distorted one."""

from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit, prange

from pcqa.metrics.pcqm_quadric import fit_quadric, mean_curvature, new_scratch
from pcqa.ops.radius_grid import BLOCK, CellFrame, RadiusGrid, near_runs, new_cursors


def local_curvatures(
    queries: RadiusGrid, searched: RadiusGrid, frame: CellFrame, radius: float
) -> Float[np.ndarray, " q"]:
    """abs(mean curvature) of the quadric through the points of `searched` nearer than `radius` to each query.

    Args:
        queries: sorted queries; the result is in their order.
        searched: sorted points, in the same frame.
        frame: made for `radius`.
        radius: in the unit of the points.
    """
    return _local_curvatures(
        queries.points,
        queries.keys,
        queries.starts,
        searched.points,
        searched.keys,
        searched.starts,
        frame.shape,
        radius,
    )


def projections(
    queries: Float[np.ndarray, "q 3"], points: Float[np.ndarray, "p 3"], rows: Int[np.ndarray, "q k"]
) -> Float[np.ndarray, "q 3"]:
    """Each query moved along the normal onto the quadric through its neighbours, or to the nearest if that is nearer.

    Args:
        queries: points to project.
        points: those of the surface.
        rows: the k nearest of them to each query, the nearest first.
    """
    return _projections(queries, points, rows)


@njit(parallel=True, cache=True)
@no_type_check
def _local_curvatures(queries, query_keys, query_starts, points, keys, starts, shape, radius):
    curvatures = np.empty(queries.shape[1])
    for block in prange((len(query_keys) + BLOCK - 1) // BLOCK):
        cursors, runs = new_cursors(1), np.empty((9, 2), np.int64)
        offsets = np.empty((3, 64))
        coefficients, frame, scratch = np.empty(6), np.empty((3, 3)), new_scratch()
        for cell in range(block * BLOCK, min((block + 1) * BLOCK, len(query_keys))):
            found, held = near_runs(query_keys[cell], keys, starts, shape, 1, cursors, runs)
            if held > offsets.shape[1]:
                offsets = np.empty((3, 2 * held))
            for query in range(query_starts[cell], query_starts[cell + 1]):
                count = _gather(points, runs, found, queries, query, radius, offsets)
                fit_quadric(offsets, count, coefficients, frame, scratch)
                curvatures[query] = abs(mean_curvature(coefficients))
    return curvatures


# A function, because numba would compile the fit a second time for a count that starts as the literal 0.
@njit(cache=True)
@no_type_check
def _gather(points, runs, found, queries, query, radius, offsets):
    """Fills in the offsets of the points in the first runs that are nearer than the radius; returns how many."""
    count = 0
    for run in range(found):
        for point in range(runs[run, 0], runs[run, 1]):
            x = points[0, point] - queries[0, query]
            y = points[1, point] - queries[1, query]
            z = points[2, point] - queries[2, query]
            if x * x + y * y + z * z < radius * radius:
                offsets[0, count] = x
                offsets[1, count] = y
                offsets[2, count] = z
                count += 1
    return count


@njit(parallel=True, cache=True)
@no_type_check
def _projections(queries, points, rows):
    projected = np.empty((len(queries), 3))
    for block in prange((len(queries) + BLOCK - 1) // BLOCK):
        offsets = np.empty((3, rows.shape[1]))
        coefficients, frame, scratch = np.empty(6), np.empty((3, 3)), new_scratch()
        for query in range(block * BLOCK, min((block + 1) * BLOCK, len(queries))):
            for k in range(rows.shape[1]):
                for axis in range(3):
                    offsets[axis, k] = points[rows[query, k], axis] - queries[query, axis]
            fit_quadric(offsets, rows.shape[1], coefficients, frame, scratch)
            height = coefficients[5]
            nearest = offsets[0, 0] ** 2 + offsets[1, 0] ** 2 + offsets[2, 0] ** 2
            for axis in range(3):
                step = height * frame[axis, 0] if height * height <= nearest else offsets[axis, 0]
                projected[query, axis] = queries[query, axis] + step
    return projected
