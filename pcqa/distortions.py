"""Distortions of clouds with levels: seeded, a Cloud in, a Cloud out."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pcqa.cloud import Cloud
from rankqa_datasets.errors import InputError


@dataclass(frozen=True)
class Distortion:
    """One type: its function of (cloud, amount, random generator), and the amounts of levels 1, 2, ... ."""

    function: Callable[[Cloud, float, np.random.Generator], Cloud]
    amounts: tuple[float, ...]


def distort(cloud: Cloud, name: str, level: int, *, seed: int = 0) -> Cloud:
    """The cloud with distortion `name` of DISTORTIONS at a level from 1 (weak) upwards.

    Raises:
        InputError: unknown name or level, or a colour distortion of a cloud without colours.
    """
    if name not in DISTORTIONS:
        raise InputError(f"expected a distortion of {', '.join(DISTORTIONS)}, got '{name}'")
    distortion = DISTORTIONS[name]
    if not 1 <= level <= len(distortion.amounts):
        raise InputError(f"expected a level of {name} from 1 to {len(distortion.amounts)}, got {level}")
    return distortion.function(cloud, distortion.amounts[level - 1], np.random.default_rng(seed))


def down_sampling(cloud: Cloud, share: float, rng: np.random.Generator) -> Cloud:
    """The cloud without a random `share` of its points; at least one stays, order is kept."""
    kept = max(1, round(cloud.num_points * (1 - share)))
    chosen = np.sort(rng.choice(cloud.num_points, size=kept, replace=False))
    return _with_points(cloud, cloud.points[chosen], chosen)


def geometry_noise(cloud: Cloud, share: float, rng: np.random.Generator) -> Cloud:
    """Every point moved by Gaussian noise on each axis, of standard deviation `share` x the longest side of the box."""
    side = float(np.ptp(cloud.points, axis=0).max())
    moved = cloud.points + rng.normal(0.0, share * side, size=cloud.points.shape)
    return replace(cloud, points=moved.astype(cloud.points.dtype), source=None)


def color_noise(cloud: Cloud, share: float, rng: np.random.Generator) -> Cloud:
    """A `share` of the points brightened or darkened by up to `share` x 100 of 255: one offset for all three channels.

    The offset is uniform; colours are clipped to [0, 1]. In SJTU-PCQA share and amplitude go together: 10 % of the
    points by +-10, ... 70 % by +-70.

    Raises:
        InputError: the cloud has no colours.
    """
    if cloud.colors is None:
        raise InputError(f"{cloud.name}: expected colours to put noise on, got none")
    hit = rng.permutation(cloud.num_points) < round(share * cloud.num_points)
    offset = rng.uniform(-share * 100 / 255, share * 100 / 255, size=(cloud.num_points, 1)) * hit[:, None]
    return replace(cloud, colors=np.clip(cloud.colors + offset, 0, 1).astype(np.float32), source=None)


def octree_quantization(cloud: Cloud, bits: float, rng: np.random.Generator) -> Cloud:
    """The points of each cell merged into one at the cell's centre, with their mean colour; normals are dropped.

    The longest side of the box is cut into 2^bits cells. This is what is left of the geometry after an octree coder
    that stops at that depth; `bits` need not be whole, as the coder's position scale need not be.
    """
    low = cloud.points.min(axis=0)
    cell = float(np.ptp(cloud.points, axis=0).max()) / 2**bits or 1.0
    index = np.floor((cloud.points - low) / cell).astype(np.int64)
    index = np.minimum(index, int(np.ceil(2**bits)) - 1)
    occupied, member = np.unique(index, axis=0, return_inverse=True)
    member = member.reshape(-1)
    points = (low + (occupied + 0.5) * cell).astype(cloud.points.dtype)
    if cloud.colors is None:
        return Cloud(points)
    sums = np.stack([np.bincount(member, weights=channel) for channel in cloud.colors.T], axis=1)
    return Cloud(points, (sums / np.bincount(member)[:, None]).astype(np.float32).clip(0, 1))


def _with_points(cloud: Cloud, points: np.ndarray, origin: np.ndarray) -> Cloud:
    colors = None if cloud.colors is None else cloud.colors[origin]
    normals = None if cloud.normals is None else cloud.normals[origin]
    return Cloud(points, colors, normals)


# The first three are SJTU-PCQA's ladders as its readme gives them, where "+-n" is taken as uniform, "within x % of the
# box" as a standard deviation of x % of its longest side, and the third noise level, printed as 0.02 %, as 0.2 %.
DISTORTIONS: dict[str, Distortion] = {
    "down_sampling": Distortion(down_sampling, (0.15, 0.30, 0.45, 0.60, 0.75, 0.90)),  # share removed
    "geometry_noise": Distortion(geometry_noise, (0.0005, 0.001, 0.002, 0.005, 0.007, 0.012)),  # of the longest side
    "color_noise": Distortion(color_noise, (0.1, 0.3, 0.4, 0.5, 0.6, 0.7)),  # share of points, and of amplitude 100
    "octree_quantization": Distortion(octree_quantization, (9.0, 8.5, 8.0, 7.5, 7.0, 6.5)),  # bits, ours
}
