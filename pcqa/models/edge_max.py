"""The maximum over neighbours of a normalised linear layer on edges, without any tensor of edges."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from pcqa.models.graph_layers import neighbor_rows


def normalized_edge_max(
    own: Float[Tensor, "n q c"], others: Float[Tensor, "n p c"], table: Int64[Tensor, "n q k"], norm: nn.BatchNorm1d
) -> Float[Tensor, "n q c"]:
    """The maximum over j in row i of the table of `norm(own_i + others_j)`, statistics over all n q k edges.

    A linear layer on an edge (x_i, x_j - x_i) is a sum of what each end gives: W1 x_i + W2 (x_j - x_i) =
    (W1 - W2) x_i + W2 x_j, so that products are as many as points, not as edges. The normalisation grows with its
    argument, or falls where its weight is negative: the maximum over j is that of `others_j`, or the minimum. And mean
    and variance follow from those of the ends. A growing activation (ReLU) may be applied to the result.

    Equal to batch normalisation on all edges up to rounding; updates its running statistics likewise.
    """
    rows = neighbor_rows(table, others.shape[1])
    flat = others.flatten(0, 1)
    sign = torch.where(norm.weight < 0, -1.0, 1.0).to(flat.dtype)
    extreme = sign * functional.embedding_bag(rows, sign * flat, mode="max")
    mean, variance = norm.running_mean, norm.running_var
    if norm.training:
        mean, variance = _edge_moments(own.flatten(0, 1), flat, rows)
        _update(norm, mean, variance, edges=rows.numel())
    assert mean is not None
    assert variance is not None
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    return (own + extreme.view_as(own) - mean) * scale + norm.bias


def _edge_moments(
    own: Float[Tensor, "q c"], others: Float[Tensor, "p c"], rows: Int64[Tensor, "q k"]
) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"]]:
    """Mean and variance (biased) of own_i + others_j over all edges."""
    k, edges = rows.shape[1], rows.numel()
    degrees = rows.flatten().bincount(minlength=len(others)).to(others.dtype)[:, None]
    own_mean, others_mean = own.mean(dim=0), (degrees * others).sum(dim=0) / edges
    # Squares of centred values: those of the raw ones cancel.
    own, others = own - own_mean, others - others_mean
    sums = functional.embedding_bag(rows, others, mode="sum")
    squares = k * own.square().sum(dim=0) + (degrees * others.square()).sum(dim=0) + 2 * (own * sums).sum(dim=0)
    return own_mean + others_mean, squares.clamp_min(0) / edges


@torch.no_grad()
def _update(norm: nn.BatchNorm1d, mean: Tensor, variance: Tensor, *, edges: int) -> None:
    """As batch normalisation does: running statistics move by `momentum`, the variance without bias."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    assert norm.momentum is not None
    norm.num_batches_tracked += 1
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), norm.momentum)
    norm.running_var.lerp_(variance.to(norm.running_var.dtype) * (edges / (edges - 1)), norm.momentum)
