"""Colours for clouds that have none, so that a projection shows their surface."""

import numpy as np
from scipy.spatial import KDTree

from pcqa.cloud import Cloud


def normal_colors(cloud: Cloud, *, neighbors: int = 16) -> np.ndarray:
    """Colour each point by the direction of its surface: red, green, blue = |n_x|, |n_y|, |n_z| of the unit normal.

    The normal is the direction of least spread among the nearest points (the point itself included). It is estimated
    for every cloud, also where the file gives normals, because a distorted cloud rarely has any and the two must
    compare; absolute values, because an estimated normal has no sign.

    Returns:
        float32 (P, 3) in [0, 1].
    """
    points = np.asarray(cloud.points, np.float64)
    k = min(neighbors, len(points))
    indices = np.reshape(KDTree(points).query(points, k=k)[1], (len(points), k))
    colors = np.empty((len(points), 3), np.float32)
    # In blocks: the neighbourhoods of a million points at once take 400 MB.
    block = 100_000
    for start in range(0, len(points), block):
        patch = points[indices[start : start + block]]
        patch = patch - patch.mean(axis=1, keepdims=True)
        _, vectors = np.linalg.eigh(patch.transpose(0, 2, 1) @ patch)
        colors[start : start + block] = np.abs(vectors[:, :, 0])
    return np.clip(colors, 0, 1)
