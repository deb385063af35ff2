"""The k nearest points of each query."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pcqa.ops.squared_distances import squared_distance_blocks


@torch.no_grad()
def knn(
    queries: Float[Tensor, "b q d"], points: Float[Tensor, "b p d"], k: int
) -> tuple[Int64[Tensor, "b q k"], Float[Tensor, "b q k"]]:
    """Finds the `k` nearest `points` of each query by comparing with all of them.

    Args:
        queries: (b, q, d), any dimension d >= 1: coordinates or features.
        points: (b, p, d), p >= k. A query that is itself among the points finds itself.
        k: neighbours for each query.

    Returns:
        Indices into the points, nearest first, equal distances by lowest index; and the squared distances. No gradient.

    Raises:
        ValueError: k is not between 1 and p.
    """
    num_points = points.shape[1]
    if not 1 <= k <= num_points:
        raise ValueError(f"knn needs 1 <= k <= number of points, got k={k} and points of shape {tuple(points.shape)}")
    indices = torch.empty(*queries.shape[:2], k, dtype=torch.int64, device=queries.device)
    distances = torch.empty(*queries.shape[:2], k, dtype=queries.dtype, device=queries.device)
    for rows, block in squared_distance_blocks(queries, points):
        indices[:, rows], distances[:, rows] = _smallest(block, k)
    return indices, distances


def _smallest(block: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Indices and values of the k smallest entries of each row, equal values by lowest index."""
    values, indices = block.topk(k, dim=-1, largest=False)
    # topk picks any of the entries equal to the k-th; where it had a choice, choose again by index.
    limit = values[..., -1:]
    unsure = (block <= limit).sum(-1) > k
    if unsure.any():
        indices[unsure] = _lowest_indices(block[unsure], limit[unsure], k)
    indices = indices.sort(dim=-1).values
    values, order = block.gather(-1, indices).sort(dim=-1, stable=True)
    return indices.gather(-1, order), values


def _lowest_indices(rows: Tensor, limit: Tensor, k: int) -> Tensor:
    num_points = rows.shape[-1]
    index = torch.arange(num_points, device=rows.device)
    # Below the limit: fewer than k, all taken. At the limit: by index. Above: never.
    preference = torch.where(rows < limit, -1, torch.where(rows == limit, index, num_points))
    return preference.topk(k, dim=-1, largest=False).indices
