"""Moved points: all by a little, or patches as a whole."""

import numpy as np
from jaxtyping import Int
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from pcqa.cloud import Cloud
from pcqa.distortions.edits import with_colors, with_points, with_rows
from pcqa.distortions.lengths import longest_side

PATCHES = 5
# Of the points, in each patch that is moved.
PATCH_SHARE = 0.04
# Neighbourhoods fitted at a time, so that a million points fit in memory.
ROWS = 1 << 14


def uniform_shifting(cloud: Cloud, share: float, rng: np.random.Generator) -> Cloud:
    """Every point moved along each axis by up to `share` x the longest side of the box, evenly distributed."""
    reach = share * longest_side(cloud)
    return with_points(cloud, cloud.points + reach * rng.uniform(-1, 1, size=cloud.points.shape))


def local_loss(cloud: Cloud, share: float, rng: np.random.Generator) -> Cloud:
    """Without five patches, each of a fifth of `share` of the points; where patches meet, less is lost."""
    lost = np.concatenate(_patches(cloud, share / PATCHES, rng))
    return with_rows(cloud, np.setdiff1d(np.arange(cloud.num_points), lost))


def local_offset(cloud: Cloud, share: float, rng: np.random.Generator) -> Cloud:
    """Five patches of 4 % of the points each, moved by `share` x the longest side in one random direction each."""
    points = cloud.points.astype(np.float64)
    for patch in _patches(cloud, PATCH_SHARE, rng):
        points[patch] += share * longest_side(cloud) * _direction(rng)
    return with_points(cloud, points)


def local_rotation(cloud: Cloud, degrees: float, rng: np.random.Generator) -> Cloud:
    """Five patches of 4 % of the points each, turned by `degrees` about a random axis through their centre."""
    points = cloud.points.astype(np.float64)
    for patch in _patches(cloud, PATCH_SHARE, rng):
        turn = Rotation.from_rotvec(degrees * _direction(rng), degrees=True)
        # In a cloud of less than 13 points a patch has none.
        center = points[patch].mean(axis=0) if len(patch) else 0.0
        points[patch] = center + turn.apply(points[patch] - center)
    return with_points(cloud, points)


def reconstruction(cloud: Cloud, neighbors: float, rng: np.random.Generator) -> Cloud:
    """Every point dropped onto the plane fitted to its `neighbors` nearest points, with their mean colour.

    That is what a surface reconstruction takes away: detail finer than its cells, of shape and of colour. No mesh is
    made, so that holes stay open. In a cloud of fewer points, all are neighbours.
    """
    points = cloud.points.astype(np.float64)
    tree, count = KDTree(points), min(int(neighbors), cloud.num_points)
    smooth, colors = np.empty_like(points), None if cloud.colors is None else np.empty_like(points)
    for start in range(0, len(points), ROWS):
        rows = slice(start, start + ROWS)
        nearest = np.asarray(tree.query(points[rows], k=count, workers=-1)[1]).reshape(-1, count)
        group = points[nearest]
        center = group.mean(axis=1)
        apart = group - center[:, None]
        normal = np.linalg.eigh(np.einsum("pki,pkj->pij", apart, apart))[1][:, :, 0]
        height = ((points[rows] - center) * normal).sum(axis=1)
        smooth[rows] = points[rows] - height[:, None] * normal
        if colors is not None and cloud.colors is not None:
            colors[rows] = cloud.colors[nearest].mean(axis=1, dtype=np.float64)
    moved = with_points(cloud, smooth)
    return moved if colors is None else with_colors(moved, colors)


def _patches(cloud: Cloud, share: float, rng: np.random.Generator) -> list[Int[np.ndarray, "K"]]:
    """Rows of the points nearest to each of five random ones; a patch of a greater share holds those of a smaller."""
    size = round(share * cloud.num_points)
    points = cloud.points.astype(np.float64)
    centers = rng.permutation(cloud.num_points)[:PATCHES]
    # Sorting whole distances, in the order of rows where equal, makes patches of all sizes nested.
    distances = (((points - points[center]) ** 2).sum(axis=1) for center in centers)
    return [np.argsort(distance, kind="stable")[:size] for distance in distances]


def _direction(rng: np.random.Generator) -> np.ndarray:
    vector = rng.normal(size=3)
    return vector / np.linalg.norm(vector)
