"""Random key points on edges and corners, where GraphSIM, its multiscale form and MPED look."""

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array
from scipy.spatial import KDTree

from pcqa.cloud import Cloud
from rankqa_datasets.errors import InputError

NEIGHBORS = 50
ORDER = 4
CHUNK = 1 << 16


def draw_key_points(cloud: Cloud, *, seed: int = 0, points_per_key_point: int = 10_000) -> Int[np.ndarray, " keys"]:
    """Rows of the cloud, drawn with replacement with a probability proportional to how far smoothing moves the point.

    Rounded P / points_per_key_point rows, at least one (the program's few points below half of that number would have
    none). The draws follow the points' places, not their order in the file. Where smoothing moves no point, all are
    equally likely.

    Source: the resampling of Chen et al., IEEE TSP 66(3), 2018, as GraphSIM's program has it; its random numbers are
    MATLAB's, so that equal seeds give other points. It computes in single precision.

    Args:
        cloud: positions only are looked at.
        seed: of the draws.
        points_per_key_point: the program's `num`.

    Raises:
        InputError: points_per_key_point below 1.
    """
    if points_per_key_point < 1:
        raise InputError(f"expected points_per_key_point of at least 1, got {points_per_key_point}")
    x, y, z = cloud.points.T
    order = np.lexsort((y, x, z))
    movement = smoothing_movement(cloud.points[order].astype(np.float64))
    total = np.cumsum(movement)
    if not total[-1] > 0:
        total = np.arange(1.0, len(order) + 1)
    count = max(1, int(np.floor(len(order) / points_per_key_point + 0.5)))
    draws = np.random.default_rng(seed).random(count) * total[-1]
    return order[np.minimum(np.searchsorted(total, draws, "right"), len(order) - 1)]


def choose_key_points(
    cloud: Cloud, *, seed: int, rows: Int[np.ndarray, " keys"] | None, points_per_key_point: int
) -> Int[np.ndarray, " keys"]:
    """The given rows, after a look whether they can be rows of this cloud; drawn ones where none are given.

    Raises:
        InputError: no rows in what is given, one outside the cloud, or points_per_key_point below 1.
    """
    if rows is None:
        return draw_key_points(cloud, seed=seed, points_per_key_point=points_per_key_point)
    if len(rows) == 0 or rows.min() < 0 or rows.max() >= cloud.num_points:
        found = f"{rows.min()} to {rows.max()}" if len(rows) else "none"
        raise InputError(
            f"{cloud.name}: expected key_points= to be rows of the reference, 0 to {cloud.num_points - 1}, got {found}"
        )
    return rows


def smoothing_movement(points: Float[np.ndarray, "p 3"]) -> Float[np.ndarray, " p"]:
    """Squared way of each point when all are replaced four times by the mean of their 49 nearest neighbours.

    Neighbours and their Gaussian weights exp(-(2 d / s)^2) are those of the start; s is the largest distance to the
    50th nearest point, itself included, among 100 points evenly spaced in the given order. A point whose weights sum to
    less than 1e-6 stays.
    """
    tree = KDTree(points, balanced_tree=False, compact_nodes=False)
    k = min(NEIGHBORS, len(points))
    if k < 2:
        return np.zeros(len(points))
    scale = farthest_neighbor(tree, points, k)
    if scale == 0:
        return np.zeros(len(points))
    weights, columns = np.empty((len(points), k - 1)), np.empty((len(points), k - 1), np.int32)
    for first in range(0, len(points), CHUNK):
        rows = slice(first, first + CHUNK)
        found = tree.query(points[rows], k=k, workers=-1)
        distances, neighbors = (np.asarray(part) for part in found)
        raw = np.exp(-np.square(2 * distances[:, 1:] / scale))
        sums = raw.sum(axis=1, keepdims=True)
        alone = sums[:, 0] <= 1e-6
        weights[rows] = np.divide(raw, sums, out=np.zeros_like(raw), where=sums > 1e-6)
        columns[rows] = neighbors[:, 1:]
        # One neighbour of weight 1: the point.
        weights[rows][alone, 0] = 1
        columns[rows][alone, 0] = np.arange(len(points))[rows][alone]
    starts = np.arange(0, len(points) * (k - 1) + 1, k - 1)
    averaging = csr_array((weights.reshape(-1), columns.reshape(-1), starts), shape=(len(points), len(points)))
    # From the first point: far from the origin, the sums would lose the small movements.
    start = points - points[0]
    smoothed = start
    for _ in range(ORDER):
        smoothed = averaging @ smoothed
    return np.square(smoothed - start).sum(axis=1)


def farthest_neighbor(tree: KDTree, points: Float[np.ndarray, "p 3"], k: int) -> float:
    """Largest distance to the k-th nearest point, itself included, among 100 points evenly spaced in the given order.

    With fewer than k points, to the farthest one.
    """
    members = np.floor(np.linspace(0, len(points) - 1, 100) + 0.5).astype(np.int64)
    distances, _ = tree.query(points[np.unique(members)], k=min(k, len(points)))
    return float(np.max(distances))
