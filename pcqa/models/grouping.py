"""Where PointNet++ looks: centres and their neighbours at each level, for a reader to precompute or a model to find."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pcqa.ops.ball_query import ball_query
from pcqa.ops.farthest_points import farthest_points
from rankqa_datasets.errors import InputError


@dataclass(frozen=True)
class Grouping:
    """One level: `count` centres, each with `neighbors` points within `radius` (units of the normalised patch)."""

    count: int
    radius: float
    neighbors: int


def make_groupings(
    *, counts: Sequence[int] = (512, 128), radii: Sequence[float] = (0.2, 0.4), neighbors: Sequence[int] = (32, 64)
) -> tuple[Grouping, ...]:
    """The levels of PointNet++ from three lists of one length; the defaults are those of the published SSG network.

    Raises:
        InputError: the lists differ in length, or hold a value that is not positive.
    """
    if not len(counts) == len(radii) == len(neighbors) >= 1:
        raise InputError(
            f"counts, radii and neighbors need one value a level each, got {len(counts)}, {len(radii)} and "
            f"{len(neighbors)} of them"
        )
    if min(*counts, *radii, *neighbors) <= 0:
        raise InputError(f"counts, radii and neighbors must be positive, got {counts}, {radii}, {neighbors}")
    return tuple(Grouping(*level) for level in zip(counts, radii, neighbors, strict=True))


def group_points(points: Float[Tensor, "n p 3"], groupings: Sequence[Grouping]) -> dict[str, Tensor]:
    """Centres by farthest-point sampling and neighbours by ball query, level after level.

    Both depend on distances only, so they stay valid when the patch is rotated or mirrored. They depend on the order of
    the points in two ways: sampling starts at the first point, and a ball with more than `neighbors` points keeps the
    first ones.

    Returns:
        `centers_i` int64 (n, count_i) and `neighbors_i` int64 (n, count_i, neighbors_i) for level i = 0, 1, ...; they
        index the points of the level before.

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
        found[f"neighbors_{level}"] = ball_query(
            center_points, points, radius=grouping.radius, k=min(grouping.neighbors, points.shape[1])
        )
        points = center_points
    return found
