"""Normals of a surface, estimated from its points."""

import numpy as np
from jaxtyping import Float32, Float64

from pcqa.metrics.merged_cloud import MergedCloud
from pcqa.metrics.tied_neighbors import nearest_lowest_row
from rankqa_datasets.errors import InputError

# Neighbours of a point, the point among them, that make its plane.
PLANE_NEIGHBORS = 16
# Rows at once: the neighbourhoods of a million points take 400 MB.
CHUNK = 100_000


def surface_normals(cloud: MergedCloud) -> Float32[np.ndarray, "m 3"]:
    """Unit normals: the direction of least spread among the 16 nearest points (all, where there are fewer).

    They point away from the mean of all points. Where the neighbourhood is a line, any direction across it.

    Raises:
        InputError: fewer than 3 different points.
    """
    points = cloud.point_set.points
    if len(points) < 3:
        raise InputError(f"{cloud.name}: normals need 3 different points or more, got {len(points)}")
    k = min(PLANE_NEIGHBORS, len(points))
    normals = np.empty(points.shape, np.float32)
    center = points.mean(axis=0)
    for start in range(0, len(points), CHUNK):
        chunk = points[start : start + CHUNK]
        rows = nearest_lowest_row(cloud.point_set, chunk, k).rows
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
