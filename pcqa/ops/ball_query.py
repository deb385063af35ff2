"""Points within a radius of each centre, as PointNet++ groups them."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pcqa.ops.squared_distances import squared_distance_blocks


@torch.no_grad()
def ball_query(
    centers: Float[Tensor, "b q 3"], points: Float[Tensor, "b p 3"], *, radius: float, k: int
) -> Int64[Tensor, "b q k"]:
    """Finds the first `k` points, in index order, closer than `radius` to each centre.

    Fewer than k are filled up with the first of them. A centre with no point inside takes its nearest point k times, so
    that a group is never empty.

    Args:
        centers: (b, q, 3).
        points: (b, p, 3), in the same unit.
        radius: in that unit; a point at exactly this distance is outside.
        k: points for each centre; may exceed p.

    Raises:
        ValueError: k or the radius is not positive, or there are no points.
    """
    if k < 1 or not radius > 0 or points.shape[1] == 0:
        raise ValueError(
            f"ball_query needs k >= 1, radius > 0 and at least one point, "
            f"got k={k}, radius={radius} and points of shape {tuple(points.shape)}"
        )
    indices = torch.empty(*centers.shape[:2], k, dtype=torch.int64, device=centers.device)
    for rows, block in squared_distance_blocks(centers, points):
        indices[:, rows] = _first_inside(block, radius**2, k)
    return indices


def _first_inside(block: Tensor, limit: float, k: int) -> Tensor:
    inside = block < limit
    place = inside.cumsum(-1, dtype=torch.int32)
    first = torch.where(inside.any(-1), inside.to(torch.uint8).argmax(-1), block.argmin(-1))
    group = first.unsqueeze(-1).repeat(1, 1, k)
    batch, row, index = torch.nonzero(inside & (place <= k), as_tuple=True)
    group[batch, row, place[batch, row, index].long() - 1] = index
    return group
