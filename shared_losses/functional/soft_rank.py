"""Differentiable ranks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from shared_losses.autocast import without_autocast
from shared_losses.bandwidth import Bandwidth
from shared_losses.first_derivative import first_derivative
from shared_losses.gradient_scale import saturate, scale_gradient
from shared_losses.kernels import KERNELS, RankKernel
from shared_losses.options import check_choice
from shared_losses.rows import collect_rows, loss_dtype
from shared_losses.shapes import BankFloats, BatchFloats, Number
from shared_losses.sorting import sort_values

PATHS = ("auto", "dense")


@without_autocast
def soft_rank(
    scores: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    kernel: str = "box",
    window: Number = 0.1,
    tau: Number | None = None,
    nearest: int | None = None,
    path: str = "auto",
) -> BatchFloats:
    """Soft ranks of the batch rows among batch and bank: r_i = 1/2 + sum_j K((x_i - x_j) / tau).

    As tau falls to 0 they become `midrank`. Their gradient counts what each score does to the ranks of the others.

    Args:
        scores: Any floating dtype.
        bank_scores: Scores of other items, taken without gradient.
        kernel: "box", "triangle", "laplace", "logistic" or "normal".
        window: Share of all items under the kernel; see `spearman_loss`.
        tau: Absolute bandwidth, in place of `window`.
        nearest: Ranks on either side under the kernel, in place of `window`; see `spearman_loss`.
        path: "auto", or "dense" for all pairs by autograd, which can be differentiated twice.

    Returns:
        Ranks between 1 and N, float64 for float64 scores, else float32. If all scores are equal, all ranks are
        (N + 1) / 2 and the gradient is zero.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid.
    """
    check_choice("kernel", kernel, KERNELS)
    check_choice("path", path, PATHS)
    bandwidth = Bandwidth(window, tau, nearest)
    checked = collect_rows(scores, scores, bank_scores, bank_scores)
    middle = (checked.num_rows + 1) / 2
    if not checked.varied:
        return (scores * 0).to(loss_dtype(scores)) + middle
    if path == "dense":
        ranks, _ = dense_ranks(scale_gradient(scores, 1.0, torch.float64), checked.bank_scores, kernel, bandwidth)
        return (ranks + middle).to(loss_dtype(scores))
    return _SoftRank.apply(scores, checked.targets, kernel, bandwidth)  # pyright: ignore[reportReturnType]


def dense_ranks(scores: Tensor, bank_scores: Tensor, kernel: str, bandwidth: Bandwidth) -> tuple[Tensor, Tensor]:
    """Centred soft ranks of batch (B,) and bank rows (M,) from all batch-row pairs, by autograd; O(B N) memory.

    Both depend on the float64 `scores`, and can be differentiated as often as the kernel is smooth.
    """
    kernel_type, batch = KERNELS[kernel], scores.shape[0]
    values = torch.cat([scores.detach(), bank_scores.double()])
    ordered, order = sort_values(values)
    scale = bandwidth.solve(ordered, kernel_type.spread)
    place = torch.empty_like(order).scatter_(0, order, torch.arange(order.shape[0], device=order.device))
    at = scale.coordinates.double()[place]
    slope = 1.0 if scale.slope is None else scale.slope[place[:batch]]
    own = at[:batch] + slope * (scores - scores.detach())
    pairs = _Half.apply((own[:, None] - torch.cat([own, at[batch:]])) / scale.tau, kernel_type)
    # Among themselves the bank rows do not move.
    still, back = torch.sort(at[batch:])
    among = kernel_type(still, scale.tau).centred_ranks() if still.shape[0] else still
    return pairs.sum(1), torch.empty_like(among).scatter_(0, back, among) - pairs[:, batch:].sum(0)  # pyright: ignore


class _Half(torch.autograd.Function):
    """K(u) - 1/2, whose derivative is k(u) at ties and kinks too."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, kernel_type: type[RankKernel]) -> Tensor:
        ctx.save_for_backward(u)
        ctx.kernel_type = kernel_type
        return kernel_type.half(u)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (u,) = ctx.saved_tensors
        return gradients[0] * ctx.kernel_type.density(u), None


class _SoftRank(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, values: Tensor, kernel: str, bandwidth: Bandwidth) -> Tensor:
        ordered, order = sort_values(values)
        scale = bandwidth.solve(ordered, KERNELS[kernel].spread)
        operator = KERNELS[kernel](scale.coordinates, scale.tau)
        count = values.shape[0]
        place = torch.empty_like(order).scatter_(0, order, torch.arange(count, device=order.device))
        ctx.operator, ctx.slope, ctx.place, ctx.dtype = operator, scale.slope, place[: scores.shape[0]], scores.dtype
        ctx.count = count
        ctx.save_for_backward(scores)
        ranks = operator.centred_ranks()[ctx.place] + (count + 1) / 2
        return ranks.to(loss_dtype(scores))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (scores,) = ctx.saved_tensors
        upstream = gradients[0].new_zeros(ctx.count, dtype=torch.float64)
        upstream[ctx.place] = gradients[0].detach().double()
        product = ctx.operator.pull_back(upstream, ctx.place)
        if ctx.slope is not None:
            product *= ctx.slope[ctx.place]
        return first_derivative(saturate(product, ctx.dtype), scores), None, None, None
