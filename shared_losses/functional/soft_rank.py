"""Differentiable ranks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from shared_losses.autocast import without_autocast
from shared_losses.bandwidth import check_bandwidth, solve_tau
from shared_losses.gradient_scale import saturate
from shared_losses.kernels import KERNELS
from shared_losses.options import check_choice
from shared_losses.rows import collect_rows, loss_dtype
from shared_losses.shapes import BankFloats, BatchFloats, Number
from shared_losses.sorting import sort_values


@without_autocast
def soft_rank(
    scores: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    kernel: str = "box",
    window: Number = 0.1,
    tau: Number | None = None,
) -> BatchFloats:
    """Soft ranks of the batch rows among batch and bank: r_i = 1/2 + sum_j K((x_i - x_j) / tau).

    As tau falls to 0 they become `midrank`. Their gradient counts what each score does to the ranks of the others.

    Args:
        scores: Any floating dtype.
        bank_scores: Scores of other items, taken without gradient.
        kernel: "box", "triangle" or "logistic".
        window: Share of all items under the kernel; see `spearman_loss`.
        tau: Absolute bandwidth, in place of `window`.

    Returns:
        Ranks between 1 and N, float64 for float64 scores, else float32. If all scores are equal, all ranks are
        (N + 1) / 2 and the gradient is zero.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid.
    """
    check_choice("kernel", kernel, KERNELS)
    check_bandwidth(window, tau)
    checked = collect_rows(scores, scores, bank_scores, bank_scores)
    if not checked.varied:
        return (scores * 0).to(loss_dtype(scores)) + (checked.num_rows + 1) / 2
    return _SoftRank.apply(scores, checked.targets, kernel, window, tau)  # pyright: ignore[reportReturnType]


class _SoftRank(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, values: Tensor, kernel: str, window: Number, tau: Number | None) -> Tensor:
        ordered, order = sort_values(values)
        ordered = ordered.double()
        solved = tau or solve_tau(ordered, window=window, spread=KERNELS[kernel].spread)
        operator = KERNELS[kernel](ordered, solved)
        count = values.shape[0]
        place = torch.empty_like(order).scatter_(0, order, torch.arange(count, device=order.device))
        ctx.operator, ctx.place, ctx.dtype = operator, place[: scores.shape[0]], scores.dtype
        ranks = operator.centred_ranks()[ctx.place] + (count + 1) / 2
        return ranks.to(loss_dtype(scores))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        upstream = ctx.operator.position.new_zeros(ctx.operator.position.shape)
        upstream[ctx.place] = gradients[0].double()
        return saturate(ctx.operator.pull_back(upstream, ctx.place), ctx.dtype), None, None, None, None
