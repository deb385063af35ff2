"""Patches: neighbourhoods of a cloud, each brought to the unit sphere, as point networks read them."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import KDTree

from pcqa.cloud import Cloud
from pcqa.frame import robust_box
from pcqa.ops.farthest_points import farthest_points
from rankqa_datasets.errors import InputError

# Centres picked among this many random points cover the cloud 2 to 11 % less tightly than among all of them, and take
# a hundredth of the time.
MAX_CANDIDATES = 10_000


# eq=False: comparing arrays with == inside a generated __eq__ raises; identity is what callers need.
@dataclass(frozen=True, eq=False)
class Patches:
    """K patches of S points each.

    Attributes:
        points: (K, S, 3) float32: nearest to the patch's centre first, moved to the patch's own centroid and divided by
            its radius, so that the farthest point is at distance 1. All zero where the S points are equal.
        colors: (K, S, 3) float32 in [0, 1]; 0.5 where the cloud has no colours.
        centers: (K, 3) the points of the cloud around which the patches lie, in its own unit and dtype.
        scales: (K,) float32: radius of the patch (farthest point from its centroid) / radius of the cloud (half the
            diagonal of its robust box). What the normalisation removes.
        indices: (K, S) int64 rows in the cloud.
    """

    points: np.ndarray
    colors: np.ndarray
    centers: np.ndarray
    scales: np.ndarray
    indices: np.ndarray


def make_patches(cloud: Cloud, *, count: int, size: int, seed: int) -> Patches:
    """Cuts `count` patches of the `size` nearest points around well-spread centres.

    Centres come from farthest-point sampling on a random subset of at most 10,000 points, in the order of picking: any
    first few of them are well spread, too. The seed chooses the subset and the first centre.

    Raises:
        InputError: fewer points than a patch needs or than patches are asked for, or all points are equal.
    """
    if min(count, size) < 1 or max(count, size) > cloud.num_points:
        raise InputError(
            f"{cloud.name}: expected at least as many points as patches ({count}) and as points in a patch ({size}), "
            f"got a cloud of {cloud.num_points} points; lower the count or the size"
        )
    if count > MAX_CANDIDATES:
        raise InputError(f"{cloud.name}: at most {MAX_CANDIDATES} patches can be cut, got {count}; lower the count")
    low, high = robust_box(torch.from_numpy(cloud.points)).double().numpy()
    radius = float(np.linalg.norm(high - low)) / 2
    if radius == 0:
        raise InputError(
            f"{cloud.name}: expected a cloud with extent for patches of {size} points, "
            f"got {cloud.num_points} points that are all equal"
        )
    # Relative to the middle, so that float32 below is exact enough wherever the cloud lies.
    points = cloud.points - (low + high) / 2
    rows = _pick_centers(points, count, seed)
    _, indices = KDTree(points).query(points[rows], k=size, workers=-1)
    indices = np.asarray(indices, np.int64).reshape(count, size)

    patches = points[indices]
    patches -= patches.mean(axis=1, keepdims=True)
    radii = np.linalg.norm(patches, axis=2).max(axis=1)
    # Equal points leave rounding errors of their mean, which the division would blow up to a shape.
    is_flat = (points[indices] == points[indices[:, :1]]).all(axis=(1, 2))
    radii[is_flat] = 0
    patches[is_flat] = 0
    patches /= np.where(is_flat, 1, radii)[:, None, None]
    colors = np.full((count, size, 3), 0.5, np.float32) if cloud.colors is None else cloud.colors[indices]
    return Patches(
        points=patches.astype(np.float32),
        colors=colors,
        centers=cloud.points[rows],
        scales=(radii / radius).astype(np.float32),
        indices=indices,
    )


def _pick_centers(points: np.ndarray, count: int, seed: int) -> np.ndarray:
    candidates = np.random.default_rng(seed).permutation(len(points))[:MAX_CANDIDATES]
    picks = farthest_points(torch.from_numpy(points[candidates])[None], count)
    return candidates[picks[0].numpy()]
