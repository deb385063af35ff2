"""Spearman's rank correlation as a loss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from shared_losses.autocast import without_autocast
from shared_losses.bandwidth import Bandwidth
from shared_losses.expected_rank import expected_midrank
from shared_losses.first_derivative import first_derivative
from shared_losses.functional.soft_rank import PATHS, dense_ranks
from shared_losses.gradient_scale import saturate, scale_gradient
from shared_losses.kernels import KERNELS
from shared_losses.options import check_choice
from shared_losses.rows import Rows, check_vector, collect_rows, loss_dtype, without_correlation
from shared_losses.shapes import BankFloats, BatchFloats, Number, ScalarFloat
from shared_losses.sorting import doubled_midrank, sort_values


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
    nearest: int | None = None,
    normalizer: str = "soft",
    rows: str = "all",
    rescale: bool = True,
    target_ranks: str = "mid",
    bank_target_std: BankFloats | None = None,
    path: str = "auto",
) -> ScalarFloat:
    """1 - SROCC with soft ranks of the scores, in O(N log N).

    With soft ranks r (see `shared_losses.kernels`) and midranks t of the targets, both centred, over N = B + M rows:
    rho = sum r t / (sqrt(P) sqrt(Q)), Q = sum t^2, and P = sum r^2 ("soft") or (N^3 - N) / 12 ("constant"). The
    gradient is exact for that value at fixed bandwidth, in memory linear in N.

    As tau falls to 0 the loss with the soft normaliser becomes 1 - scipy.stats.spearmanr, ties included. With the box
    kernel and the constant normaliser, and no ties in the scores, its gradient is the central difference of the hard
    SROCC with each score moved alone by +-tau.

    Args:
        scores: Model outputs, higher is better; any floating dtype.
        targets: Subjective quality on any monotone scale; ties share their mean rank.
        bank_scores: Scores of other items, taken without gradient.
        bank_targets: Their targets.
        target_std: Standard deviation of the targets, NaN or 0 where unknown; for target_ranks="expected" only.
        kernel: "box" (default), "triangle" and "laplace" are summed in sorted order; "logistic" and "normal" pairwise
            up to 512 rows and by cells, equal to about 1e-11, above. No path takes quadratic time or memory.
        window: Share of all N items under the kernel, in (0, 1], from which tau is solved on every call
            (`shared_losses.bandwidth.solve_tau`), without gradient. Makes the loss blind to shift and scale.
        tau: Absolute bandwidth in units of the scores, in place of `window`.
        nearest: Ranks on either side under the kernel, in place of `window`. The value and the signs of the box
            gradient with the constant normaliser are then the same for any monotone map of the scores.
        normalizer: "soft" is Pearson's correlation of the soft ranks, close to the hard SROCC at any tau. "constant"
            shrinks towards 0 as tau grows; it is the expected SROCC under score noise.
        rows: "all" correlates all N rows, so that what a batch row does to the ranks of bank rows counts. "batch"
            sums over the B batch rows only, with the means of all (as GMC-IQA does): a biased gradient.
        rescale: Multiply the gradient, not the value, by N / B, so that it does not shrink as the bank fills. With
            rows="batch" the bank does not shrink it, and nothing is multiplied.
        target_ranks: "mid" for midranks; "expected" for the mean ranks under normal noise of `target_std` on each
            target (`shared_losses.expected_midrank`), in O(N^2) time.
        bank_target_std: Standard deviation of the bank's targets; needed for "expected" with a bank.
        path: "auto", or "dense": all pairs of batch and other rows by autograd, in O(B N) memory, which can be
            differentiated twice.

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
    check_choice("target_ranks", target_ranks, ("mid", "expected"))
    check_choice("path", path, PATHS)
    bandwidth = Bandwidth(window, tau, nearest)
    checked = collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    spread = None
    if target_ranks == "expected":
        spread = _joined_std(checked, target_std, bank_scores, bank_target_std)
    if not checked.varied:
        return without_correlation(scores)
    ranked = doubled_midrank(checked.targets) if spread is None else expected_midrank(checked.targets, spread).mul_(2)
    options = _Options(kernel, bandwidth, normalizer, rows, rescale)
    if path == "dense":
        rho = _dense_correlation(checked, ranked, options)
        return (1 - rho).to(loss_dtype(scores))
    return _SpearmanLoss.apply(scores, checked.bank_scores, ranked, options)  # pyright: ignore[reportReturnType]


def _joined_std(
    rows: Rows, target_std: Tensor | None, bank_scores: Tensor | None, bank_target_std: Tensor | None
) -> Tensor:
    if target_std is None:
        raise ValueError("target_ranks='expected' needs target_std; got none")
    if rows.num_rows == rows.num_batch:
        return target_std
    if bank_target_std is None:
        raise ValueError(
            f"target_ranks='expected' needs bank_target_std for the {rows.num_rows - rows.num_batch} rows of the bank;"
            " got none"
        )
    assert bank_scores is not None
    check_vector("bank_target_std", bank_target_std, like=("bank_scores", bank_scores))
    return torch.cat([target_std.double(), bank_target_std.double()])


@dataclass(frozen=True)
class _Options:
    kernel: str
    bandwidth: Bandwidth
    normalizer: str
    rows: str
    rescale: bool


class _SpearmanLoss(torch.autograd.Function):
    """Value and gradient in one pass: between forward and backward only the B gradient values are kept."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, bank_scores: Tensor, doubled: Tensor, options: _Options) -> Tensor:
        rho, gradient = _correlate(scores, bank_scores, doubled, options, ctx.needs_input_grad[0])
        ctx.dtype = scores.dtype
        ctx.save_for_backward(gradient, scores)
        return (1 - rho).to(loss_dtype(scores))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        gradient, scores = ctx.saved_tensors
        return first_derivative(saturate(gradient * -gradients[0], ctx.dtype), scores), None, None, None


def _correlate(
    scores: Tensor, bank_scores: Tensor, doubled: Tensor, options: _Options, differentiate: bool
) -> tuple[Tensor, Tensor | None]:
    """Soft rho from doubled target ranks, and its gradient with respect to the batch scores, both float64."""
    batch, count = scores.shape[0], doubled.shape[0]
    ordered, owner = sort_values(torch.cat([scores, bank_scores]) if batch < count else scores)
    target_ranks = _centred(doubled.index_select(0, owner))
    at = None
    if batch < count:  # where the batch rows are in sorted order
        at = (owner < batch).nonzero()[:, 0]
        owner = owner[at]
    kernel_type = KERNELS[options.kernel]
    scale = options.bandwidth.solve(ordered, kernel_type.spread)
    operator = kernel_type(scale.coordinates, scale.tau)
    del ordered
    ranks = operator.centred_ranks()
    summed = at if options.rows == "batch" else None
    if summed is None:
        rho, upstream = _pearson(ranks, target_ranks, options.normalizer)
    else:
        # The sums, and with them the upstream vector, run over the batch rows alone.
        rho, own = _pearson(ranks[summed], target_ranks[summed], options.normalizer, ranks, target_ranks)
        upstream = torch.zeros_like(ranks).index_copy_(0, summed, own)
    del ranks, target_ranks
    if not differentiate:
        return rho, None
    product = operator.pull_back(upstream, at)
    if scale.slope is not None:
        product *= scale.slope if at is None else scale.slope[at]
    if options.rescale and summed is None:
        product *= count / batch
    return rho, torch.empty_like(product).scatter_(0, owner, product)


def _pearson(
    r: Tensor, t: Tensor, normalizer: str, every_r: Tensor | None = None, every_t: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The correlation sum r t / (|r| |t|) of centred ranks, and its derivative by r. Works in place.

    `every_r` and `every_t` are the ranks of all rows where r and t are of some. With the constant normaliser the norms
    are those of `every_t` and of the hard ranks, scaled to the rows that are summed.
    """
    every_r, every_t = (r, t) if every_r is None or every_t is None else (every_r, every_t)
    if normalizer == "soft":
        rank_norm, target_norm = r.norm(), t.norm()
        # What rounding leaves of rows that sit at the mean rank throughout is no direction.
        rank_norm = torch.where(rank_norm > 1e-12 * every_r.norm(), rank_norm, 0)
    else:
        count = every_t.shape[0]
        rank_norm, target_norm = r.new_tensor((count**3 - count) / 12).sqrt(), every_t.norm()
        target_norm = target_norm * (r.shape[0] / count)
    # A norm of zero belongs to rows that sit at the mean rank throughout: rho is 0 there.
    rank_unit = torch.where(rank_norm > 0, 1 / rank_norm, 0)
    t *= torch.where(target_norm > 0, 1 / target_norm, 0)
    rho = (r @ t) * rank_unit
    if normalizer == "soft":
        # d rho / d r = (t / |t| - rho r / |r|) / |r|
        t.sub_(r.mul_(rho * rank_unit))
    return rho, t.mul_(rank_unit)


def _dense_correlation(rows: Rows, doubled: Tensor, options: _Options) -> Tensor:
    """Soft rho by autograd."""
    batch, count = rows.num_batch, rows.num_rows
    factor = count / batch if options.rescale and options.rows == "all" else 1.0
    scores = scale_gradient(rows.scores, factor, torch.float64)
    r = torch.cat(dense_ranks(scores, rows.bank_scores, options.kernel, options.bandwidth))
    t = every_t = _centred(doubled)
    if options.rows == "batch":
        r, t = r[:batch], t[:batch]
    if options.normalizer == "soft":
        norm = r.norm() * t.norm()
    else:
        norm = math.sqrt((count**3 - count) / 12) * every_t.norm() * (len(t) / count)
    if norm == 0:
        return (r * 0).sum()
    return (r @ t) / norm


def _centred(doubled: Tensor) -> Tensor:
    return doubled.double().sub_(doubled.shape[0] + 1).div_(2)
