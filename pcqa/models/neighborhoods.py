"""What point networks see around each point of a patch: where its neighbours lie, and how their colours differ."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor


def gather_neighbors(values: Float[Tensor, "n p c"], table: Int[Tensor, "n q k"]) -> Float[Tensor, "n q k c"]:
    """The rows of each patch that a table of indices names."""
    rows = torch.arange(len(values), device=values.device)[:, None, None]
    return values[rows, table]


def neighbor_offsets(
    points: Float[Tensor, "n p 3"], colors: Float[Tensor, "n p c"], table: Int[Tensor, "n p k"]
) -> Float[Tensor, "n p k d"]:
    """Differences between neighbours and their point: of place, in units that make them about 1, and of colour.

    Colours enter as differences alone, as in `PointNet2`: distortions show in them, while colours themselves tell
    contents apart. Places are divided by `neighbor_unit`, for otherwise differences of colour drown them.

    Returns:
        (n, p, k, 3 + c).
    """
    unit = neighbor_unit(table.shape[2], points.shape[1])
    place = (gather_neighbors(points, table) - points[:, :, None]) / unit
    return torch.cat([place, gather_neighbors(colors, table) - colors[:, :, None]], dim=-1)


def neighbor_unit(neighbors: int, num_points: int) -> float:
    """The radius in which a flat disc of radius 1 with `num_points` points holds `neighbors` of them.

    The same for all patches of a size: an irregular or a thin patch shows.
    """
    return math.sqrt(neighbors / num_points)
