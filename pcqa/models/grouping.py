"""Where PointNet++ looks: centres and their neighbours at each level, for a reader to precompute or a model to find."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pcqa.ops.ball_query import ball_query
from pcqa.ops.farthest_points import farthest_points
from rankqa_datasets.errors import InputError

MULTI_SCALE = {
    "counts": (512, 128),
    "radii": ((0.1, 0.2, 0.4), (0.2, 0.4, 0.8)),
    "neighbors": ((16, 32, 128), (32, 64, 128)),
}
"""The levels of the published MSG network."""


@dataclass(frozen=True)
class Grouping:
    """One level: `count` centres, each with `neighbors[s]` points within `radii[s]` for every scale s.

    Radii are in units of the normalised patch. Single-scale grouping has one of them.
    """

    count: int
    radii: tuple[float, ...]
    neighbors: tuple[int, ...]


def make_groupings(
    *,
    counts: Sequence[int] = (512, 128),
    radii: Sequence[float | Sequence[float]] = (0.2, 0.4),
    neighbors: Sequence[int | Sequence[int]] = (32, 64),
) -> tuple[Grouping, ...]:
    """The levels of PointNet++ from three lists of one length; the defaults are those of the published SSG network.

    Args:
        counts: centres of each level.
        radii: of each level, one number or one for each scale.
        neighbors: likewise.

    Raises:
        InputError: the lists differ in length, or hold a value that is not positive.
    """
    if not len(counts) == len(radii) == len(neighbors) >= 1:
        raise InputError(
            f"counts, radii and neighbors need one value a level each, got {len(counts)}, {len(radii)} and "
            f"{len(neighbors)} of them"
        )
    levels = [
        Grouping(count, _scales(level_radii), _scales(level_neighbors))
        for count, level_radii, level_neighbors in zip(counts, radii, neighbors, strict=True)
    ]
    for number, level in enumerate(levels):
        if not len(level.radii) == len(level.neighbors) >= 1:
            raise InputError(
                f"level {number} needs as many neighbors as radii, got {len(level.neighbors)} and {len(level.radii)}"
            )
        if min(level.count, *level.radii, *level.neighbors) <= 0:
            raise InputError(f"counts, radii and neighbors must be positive, got {counts}, {radii}, {neighbors}")
    return tuple(levels)


def _scales(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, Sequence) else (value,)


def group_points(points: Float[Tensor, "n p 3"], groupings: Sequence[Grouping]) -> dict[str, Tensor]:
    """Centres by farthest-point sampling and neighbours by ball query, level after level.

    Both depend on distances only, so they stay valid when the patch is rotated or mirrored. They depend on the order of
    the points in two ways: sampling starts at the first point, and a ball with more than `neighbors` points keeps the
    first ones.

    Returns:
        `centers_i` int64 (n, count_i) for level i = 0, 1, ... and `neighbors_i_s` int64 (n, count_i, neighbors_i_s)
        for its scales s = 0, 1, ...; they index the points of the level before.

    Raises:
        InputError: a level asks for more centres than there are points.
    """
    found: dict[str, Tensor] = {}
    for level, grouping in enumerate(groupings):
        if grouping.count > points.shape[1]:
            raise InputError(
                f"level {level} takes {grouping.count} centres from {points.shape[1]} points: lower "
                "model.options.counts or raise input.patches.size"
            )
        centers = farthest_points(points, grouping.count)
        center_points = torch.take_along_dim(points, centers[..., None], dim=1)
        found[f"centers_{level}"] = centers
        for scale, (radius, k) in enumerate(zip(grouping.radii, grouping.neighbors, strict=True)):
            found[f"neighbors_{level}_{scale}"] = ball_query(
                center_points, points, radius=radius, k=min(k, points.shape[1])
            )
        points = center_points
    return found


def tables_of(
    batch: dict[str, Tensor], points: Float[Tensor, "n p 3"], groupings: Sequence[Grouping]
) -> dict[str, Tensor]:
    """The tables of `group_points` for the patches of a batch laid one after the other.

    They are those that the batch brings, each (B, K, ...); where it brings none they are found here.
    """
    tables = {
        name: table.flatten(0, 1).long() for name, table in batch.items() if name.startswith(("centers_", "neighbors_"))
    }
    return tables or group_points(points, groupings)
