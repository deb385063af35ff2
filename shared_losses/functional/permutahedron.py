"""Soft ranks by projection on the permutahedron, and their Pearson correlation with hard target ranks as a loss."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from shared_losses.autocast import without_autocast
from shared_losses.first_derivative import first_derivative
from shared_losses.gradient_scale import scale_gradient
from shared_losses.options import check_choice, check_positive
from shared_losses.rows import (
    centred,
    check_finite,
    check_vector,
    collect_rows,
    joined_scores,
    loss_dtype,
    without_correlation,
)
from shared_losses.shapes import BankFloats, BatchFloats, Number, ScalarFloat
from shared_losses.sorting import midrank, sort_values

REGULARIZATIONS = ("l2", "kl")


@without_autocast
def permutahedron_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    strength: Number | None = None,
    gaps: Number = 0.5,
    regularization: str = "l2",
    rescale: bool = True,
) -> ScalarFloat:
    """1 - SROCC with the soft ranks of fast-soft-sort, projections on the permutahedron, in O(N log N).

    1 - Pearson(r, t): r the permutahedron soft ranks of the scores, t the midranks of the targets, all N rows. See
    `permutahedron_rank` for r and its strength. Soft ranks: Blondel, Teboul, Berthet and Djolonga, "Fast Differentiable
    Sorting and Ranking" (arXiv 2002.08871; program fast-soft-sort). Its authors compare the soft ranks with target
    ranks by a squared error; the correlation, the bank and the default strength are ours. Where one block holds all
    rows, as with the program's strength 1 for scores in [0, 1], l2 soft ranks are affine in the scores and the loss is
    1 - Pearson(scores, t).

    Args:
        scores: Model outputs, higher is better; any floating dtype.
        targets: Subjective quality on any scale; only its order matters.
        bank_scores: Scores of other items, taken without gradient; they are ranked and correlated with the batch's.
        bank_targets: Their targets.
        target_std: Part of the signature all losses share; not used here.
        strength: Strength of the regularisation, positive, in units of scores. None: `gaps` times the mean gap of the N
            scores, taken as a constant: the loss does not see shift and scale of the scores.
        gaps: Strength in mean gaps, positive; used where `strength` is None. See `permutahedron_rank`.
        regularization: "l2" or "kl" (entropic).
        rescale: Multiply the gradient, not the value, by N / B (all rows / batch rows).

    Returns:
        A scalar: float64 for float64 scores, else float32. Where the N scores, their soft ranks or the N targets are
        all equal the correlation is taken as 0: the loss is 1, its gradient zero.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid; see `shared_losses.rows.collect_rows`.
    """
    _check_options(strength, gaps, regularization)
    rows = collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    if not rows.varied:
        return without_correlation(scores)
    ranks = _centred_ranks(joined_scores(rows, rescale=rescale), strength, gaps, regularization)
    size = ranks.detach().abs().max()
    if not bool(size > 0):
        return without_correlation(scores)
    r, t = centred(ranks / size), centred(midrank(rows.targets))
    rho = (r @ t) / (r.norm() * t.norm())
    return (1 - rho).to(loss_dtype(scores))


@without_autocast
def permutahedron_rank(
    scores: BatchFloats, *, strength: Number | None = None, gaps: Number = 0.5, regularization: str = "l2"
) -> BatchFloats:
    """Soft ranks of a vector: a projection on the permutahedron, the convex hull of all permutations of (N, ..., 1).

    "l2" projects scores / strength by Euclidean distance, "kl" exp(scores / strength) by Kullback-Leibler divergence.
    Ranks ascend with the scores, sum to N (N + 1) / 2, and are hard as the strength goes to 0; items of one score share
    their mean. O(N log N): a sort and pool-adjacent-violators, whose loop runs on the CPU. The gradient is exact: zero
    at every item that is in no pooled block. Source: arXiv 2002.08871, program fast-soft-sort.

    Args:
        scores: Finite values, shape (N,).
        strength: Positive, in units of scores. None: `gaps` times the mean gap, taken as a constant in the gradient.
            The mean gap is the range of the scores over N - 1 for "l2" and over log N for "kl".
        gaps: Positive. For normal scores and "l2", 16 to 4,096 of them, all items are pooled from 1 up (soft ranks are
            affine in the scores), 60 to 95 % of them at 0.5, and below 0.1 most have no gradient.
        regularization: "l2" or "kl".

    Returns:
        Ranks, shape (N,): float64 for float64 scores, else float32.

    Raises:
        TypeError: If `scores` is no floating tensor.
        ValueError: If it is no finite vector, or an option is not valid.
    """
    _check_options(strength, gaps, regularization)
    check_vector("scores", scores)
    check_finite("scores", scores)
    ranks = _centred_ranks(scale_gradient(scores, 1.0, torch.float64), strength, gaps, regularization)
    return (ranks + (scores.shape[0] + 1) / 2).to(loss_dtype(scores))


def _check_options(strength: Number | None, gaps: Number, regularization: str) -> None:
    if strength is not None:
        check_positive("strength", strength)
    check_positive("gaps", gaps)
    check_choice("regularization", regularization, REGULARIZATIONS)


def _centred_ranks(x: Tensor, strength: Number | None, gaps: Number, regularization: str) -> Tensor:
    if x.numel() == 0:
        return x
    if strength is None:
        spread = (x.detach().max() - x.detach().min()).item()
        count = x.numel()
        # Where all scores are equal the strength does not matter, as long as it is not 0.
        strength = (
            max(gaps * spread / (math.log(count) if regularization == "kl" else count - 1), 1e-300) if spread else 1
        )
    return _CentredRanks.apply(x, float(strength), regularization == "kl")  # pyright: ignore[reportReturnType]


class _CentredRanks(torch.autograd.Function):
    """Soft ranks less (N + 1) / 2, so that nothing cancels where a large strength makes them nearly equal."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float, kl: bool) -> Tensor:
        count = x.numel()
        ordered, order = sort_values(x)
        ordered, order = ordered.flip(0), order.flip(0)
        weights = torch.arange(count, 0, -1, dtype=torch.float64, device=x.device)
        # Ranks depend on gaps alone, and no block reaches over a gap of this size: cutting wider ones changes nothing
        # and keeps the sums small.
        widest = 3 * math.log(count) + 1 if kl else float(count)
        s = -((ordered[:-1] - ordered[1:]) / strength).clamp(max=widest).cumsum(0)
        s = torch.cat([s.new_zeros(1), s])
        sizes = (_pool_kl if kl else _pool_l2)(s.tolist())
        blocks = _Blocks(torch.tensor(sizes, device=x.device))
        deviation = s - blocks.first(s)
        mean_weight = blocks.mean(weights)
        if kl:
            # Weight sum of the block times softmax of s, less the mean weight.
            deviation = torch.expm1(deviation)
            share = blocks.mean(deviation)
            ranks = mean_weight * ((deviation - share) / (1 + share))
        else:
            ranks = deviation - blocks.mean(deviation)
        ctx.save_for_backward(order, blocks.sizes, mean_weight + ranks, x)
        ctx.strength, ctx.kl = strength, kl
        return torch.empty_like(x).scatter_(0, order, ranks + (mean_weight - (count + 1) / 2))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        order, sizes, ranks, x = ctx.saved_tensors
        blocks = _Blocks(sizes)
        g = gradients[0].detach()[order]
        g = ranks * (g - blocks.mean(ranks * g) / blocks.mean(ranks)) if ctx.kl else g - blocks.mean(g)
        return first_derivative(torch.empty_like(g).scatter_(0, order, g / ctx.strength), x), None, None


class _Blocks:
    """Consecutive blocks of a vector; every method gives one value an item, that of its block."""

    def __init__(self, sizes: Tensor) -> None:
        self.sizes = sizes
        self.index = torch.repeat_interleave(sizes)

    def first(self, values: Tensor) -> Tensor:
        return values[self.sizes.cumsum(0) - self.sizes][self.index]

    def mean(self, values: Tensor) -> Tensor:
        # Deviations from the first item: a block of one, or of equals, has its own value without rounding.
        first = self.first(values)
        sums = values.new_zeros(len(self.sizes)).index_add_(0, self.index, values - first)
        return first + (sums / self.sizes)[self.index]


def _pool_l2(s: list[float]) -> list[int]:
    """Sizes of the blocks of the non-increasing least-squares fit to s - (N, ..., 1); s is sorted, highest first."""
    sums: list[float] = []
    sizes: list[int] = []
    for place, value in enumerate(s):
        total, size = value - (len(s) - place), 1
        while sums and sums[-1] * size <= total * sizes[-1]:
            total += sums.pop()
            size += sizes.pop()
        sums.append(total)
        sizes.append(size)
    return sizes


def _pool_kl(s: list[float]) -> list[int]:
    """Sizes of the blocks that the entropic projection on the permutahedron of (log N, ..., log 1) pools."""
    logs: list[float] = []
    weights: list[float] = []
    levels: list[float] = []
    sizes: list[int] = []
    for place, value in enumerate(s):
        log, weight, size = value, float(len(s) - place), 1
        level = log - math.log(weight)
        while levels and levels[-1] <= level:
            log = _log_add_exp(logs.pop(), log)
            weight += weights.pop()
            size += sizes.pop()
            levels.pop()
            level = log - math.log(weight)
        logs.append(log)
        weights.append(weight)
        levels.append(level)
        sizes.append(size)
    return sizes


def _log_add_exp(a: float, b: float) -> float:
    return max(a, b) + math.log1p(math.exp(-abs(a - b)))
