"""Spearman's rank correlation as a loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from shared_losses.autocast import without_autocast
from shared_losses.bandwidth import check_bandwidth, solve_tau
from shared_losses.gradient_scale import saturate
from shared_losses.kernels import KERNELS
from shared_losses.options import check_choice
from shared_losses.rows import collect_rows, loss_dtype, without_correlation
from shared_losses.shapes import BankFloats, BatchFloats, Number, ScalarFloat
from shared_losses.sorting import midrank, sort_values


@without_autocast
def spearman_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    kernel: str = "box",
    window: Number = 0.1,
    tau: Number | None = None,
    normalizer: str = "soft",
    rows: str = "all",
    rescale: bool = True,
) -> ScalarFloat:
    """1 - SROCC with soft ranks of the scores, in O(N log N).

    With soft ranks r (see `shared_losses.kernels`) and midranks t of the targets, both centred, over N = B + M rows:
    rho = sum r t / (sqrt(P) sqrt(Q)), Q = sum t^2, and P = sum r^2 ("soft") or (N^3 - N) / 12 ("constant"). The
    gradient is exact for that value at fixed bandwidth, in memory linear in N; it can be taken once.

    As tau falls to 0 the loss with the soft normaliser becomes 1 - scipy.stats.spearmanr, ties included. With the box
    kernel and the constant normaliser, and no ties in the scores, its gradient is the central difference of the hard
    SROCC with each score moved alone by +-tau.

    Args:
        scores: Model outputs, higher is better; any floating dtype.
        targets: Subjective quality on any monotone scale; ties share their mean rank.
        bank_scores: Scores of other items, taken without gradient.
        bank_targets: Their targets.
        target_std: Part of the signature all losses share; not used here.
        kernel: "box" and "triangle" (smoother) take O(N log N) time, "logistic" O(N^2) in bounded memory.
        window: Share of all N items under the kernel, in (0, 1], from which tau is solved on every call
            (`shared_losses.bandwidth.solve_tau`), without gradient. Makes the loss blind to shift and scale.
        tau: Absolute bandwidth in units of the scores, in place of `window`.
        normalizer: "soft" is Pearson's correlation of the soft ranks, close to the hard SROCC at any tau. "constant"
            shrinks towards 0 as tau grows; it is the expected SROCC under score noise.
        rows: "all" correlates all N rows, so that what a batch row does to the ranks of bank rows counts. "batch"
            sums over the B batch rows only, with the means of all (as GMC-IQA does): a biased gradient.
        rescale: Multiply the gradient, not the value, by N / B, so that it does not shrink as the bank fills. With
            rows="batch" the bank does not shrink it, and nothing is multiplied.

    Returns:
        1 - rho, a scalar: float64 for float64 scores, else float32. Where the N scores or the N targets are all equal
        rho is taken as 0: the loss is 1, its gradient zero.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid; see `shared_losses.rows.collect_rows`.
    """
    check_choice("kernel", kernel, KERNELS)
    check_choice("normalizer", normalizer, ("soft", "constant"))
    check_choice("rows", rows, ("all", "batch"))
    check_bandwidth(window, tau)
    checked = collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    if not checked.varied:
        return without_correlation(scores)
    options = _Options(kernel, window, tau, normalizer, rows, rescale)
    return _SpearmanLoss.apply(scores, checked.bank_scores, checked.targets, options)  # pyright: ignore[reportReturnType]


@dataclass(frozen=True)
class _Options:
    kernel: str
    window: Number
    tau: Number | None
    normalizer: str
    rows: str
    rescale: bool


class _SpearmanLoss(torch.autograd.Function):
    """Value and gradient in one pass: between forward and backward only the B gradient values are kept."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, bank_scores: Tensor, targets: Tensor, options: _Options) -> Tensor:
        rho, gradient = _correlate(scores, bank_scores, targets, options, ctx.needs_input_grad[0])
        ctx.dtype = scores.dtype
        ctx.save_for_backward(gradient)
        return (1 - rho).to(loss_dtype(scores))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (gradient,) = ctx.saved_tensors
        return saturate(gradient * -gradients[0], ctx.dtype), None, None, None


def _correlate(
    scores: Tensor, bank_scores: Tensor, targets: Tensor, options: _Options, differentiate: bool
) -> tuple[Tensor, Tensor | None]:
    """Soft rho, and its gradient with respect to the batch scores, both float64."""
    batch, count = scores.shape[0], targets.shape[0]
    ordered, order = sort_values(torch.cat([scores, bank_scores]) if bank_scores.shape[0] else scores)
    ordered = ordered.double()
    operator_type = KERNELS[options.kernel]
    tau = options.tau or solve_tau(ordered, window=options.window, spread=operator_type.spread)
    operator = operator_type(ordered, tau)
    ranks = operator.centred_ranks()
    target_ranks = midrank(targets).sub_((count + 1) / 2)[order]
    target_square = target_ranks @ target_ranks
    every_rank_square = ranks.new_tensor((count**3 - count) / 12)
    rank_square = ranks @ ranks
    if options.rows == "batch" and batch < count:
        # The sums, and with them the upstream vector, run over the batch rows alone.
        in_batch = order < batch
        every_rank_square = every_rank_square * (batch / count) ** 2
        if options.normalizer == "soft":
            target_square = (target_ranks * in_batch).square().sum()
        ranks, target_ranks = ranks * in_batch, target_ranks * in_batch
        rank_square = ranks @ ranks
    soft = options.normalizer == "soft"
    # A norm of zero belongs to a batch that sits at the mean rank throughout: rho is 0 there.
    rank_norm = (rank_square if soft else every_rank_square).sqrt()
    rank_unit = torch.where(rank_norm > 0, 1 / rank_norm, 0)
    target_norm = target_square.sqrt()
    target_ranks *= torch.where(target_norm > 0, 1 / target_norm, 0)
    rho = (ranks @ target_ranks) * rank_unit
    if not differentiate:
        return rho, None
    upstream = target_ranks
    if soft:
        # d rho / d r = (t / |t| - rho r / |r|) / |r|
        upstream = upstream.sub_(ranks.mul_(rho * rank_unit))
    upstream = upstream.mul_(rank_unit)
    factor = count / batch if options.rescale and options.rows == "all" else 1.0
    if batch == count:
        return rho, torch.empty_like(upstream).scatter_(0, order, operator.pull_back(upstream))
    place = torch.empty_like(order).scatter_(0, order, torch.arange(count, device=order.device))
    return rho, operator.pull_back(upstream, place[:batch]).mul_(factor)
