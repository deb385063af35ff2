"""Farthest-point sampling."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor


@torch.no_grad()
def farthest_points(points: Float[Tensor, "b p 3"], count: int, *, start: int = 0) -> Int64[Tensor, "b count"]:
    """Picks `count` points of each cloud, each as far as possible from those picked before it.

    Deterministic: equal distances go to the lowest index, and an index is never picked twice, even among equal points.
    Time O(count p), memory O(p).

    Args:
        points: (b, p, 3).
        count: points to pick, at most p.
        start: index of the first pick, the same in each cloud.

    Returns:
        Indices in the order of picking.

    Raises:
        ValueError: count or start does not fit the number of points.
    """
    batch, num_points, _ = points.shape
    if not (1 <= count <= num_points and 0 <= start < num_points):
        raise ValueError(
            f"farthest_points needs 1 <= count <= number of points and 0 <= start < number of points, "
            f"got count={count}, start={start} and points of shape {tuple(points.shape)}"
        )
    axes = points.movedim(-1, 0).contiguous()  # 3, b, p
    nearest_pick = torch.full((batch, num_points), torch.inf, dtype=points.dtype, device=points.device)
    picks = torch.empty(batch, count, dtype=torch.int64, device=points.device)
    pick = torch.full((batch, 1), start, dtype=torch.int64, device=points.device)
    for i in range(count):
        picks[:, i : i + 1] = pick
        difference = axes - axes.gather(-1, pick.expand(3, batch, 1))
        torch.minimum(nearest_pick, difference.square_().sum(0), out=nearest_pick)
        # Below every distance, so that it is never picked again.
        nearest_pick.scatter_(-1, pick, -1)
        pick = nearest_pick.argmax(-1, keepdim=True)
    return picks
