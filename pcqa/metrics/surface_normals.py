"""Normals of a surface, estimated from its points."""

import numpy as np
from jaxtyping import Float32, Float64

from pcqa.metrics.point_set import PointSet

# Neighbours of a point, the point among them, that make its plane.
PLANE_NEIGHBORS = 16
# Rows at once: the neighbourhoods of a million points take 400 MB.
CHUNK = 100_000


def surface_normals(point_set: PointSet) -> Float32[np.ndarray, "p 3"]:
    """Unit normals: the direction of least spread among the 16 nearest points (all, where there are fewer).

    They point away from the mean of all points. Where the neighbourhood is a line or a point, any direction across it.
    """
    points = point_set.points
    k = min(PLANE_NEIGHBORS, len(points))
    normals = np.empty(points.shape, np.float32)
    center = points.mean(axis=0)
    for start in range(0, len(points), CHUNK):
        chunk = points[start : start + CHUNK]
        rows = np.reshape(point_set.tree.query(chunk, k=k, workers=-1)[1], (-1, k))
        vectors = _least_spread(points[rows] - chunk[:, None])
        outward = np.einsum("pi,pi->p", vectors, chunk - center)
        normals[start : start + CHUNK] = np.where(outward[:, None] < 0, -vectors, vectors)
    return normals


def _least_spread(neighborhoods: Float64[np.ndarray, "p k 3"]) -> Float64[np.ndarray, "p 3"]:
    neighborhoods = neighborhoods - neighborhoods.mean(axis=1, keepdims=True)
    # One size for all: the squares of coordinates near 1e-200 or 1e200 would leave float64.
    largest = abs(neighborhoods).max(axis=(1, 2), keepdims=True)
    neighborhoods /= np.where(largest > 0, largest, 1)
    _, vectors = np.linalg.eigh(neighborhoods.transpose(0, 2, 1) @ neighborhoods)
    return vectors[:, :, 0]
