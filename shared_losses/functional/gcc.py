"""The global correlation consistency loss of GMC-IQA."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from shared_losses.autocast import without_autocast
from shared_losses.gradient_scale import finite_value, scale_gradient
from shared_losses.options import check_not_negative, check_positive
from shared_losses.rows import collect_rows
from shared_losses.shapes import BankFloats, BatchFloats, Number, ScalarFloat


@without_autocast
def gcc_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    alpha: Number = 0.5,
    beta: Number = 0.5,
    gamma: Number = 1.0,
    location: Number = 0.0,
    scale: Number = 1.0,
) -> ScalarFloat:
    """GMC-IQA's loss as its program runs it: linear and soft rank correlation of the batch, and squared error.

    alpha (1 - C(x, y)) + beta (1 - C(R(x), R(y))) + gamma MSE. C is a correlation whose means are over all N rows and
    whose sums are over the B batch rows alone; R the soft rank R_i = sum_j Phi(z_i - z_j), z the scores standardised by
    mean and unbiased standard deviation of all N rows, through which the gradient runs. Ranks of scores and of targets
    are soft alike, at a bandwidth of one standard deviation: the loss is not the same for monotone maps of the scores.

    Source: Chen et al., "GMC-IQA: Exploiting Global-correlation and Mean-opinion Consistency for No-reference Image
    Quality Assessment" (arXiv 2401.10511). Its own code is not public; the formula was recovered from the compiled loss
    module of PromptIQA by the same authors. There the bank is a fifo of 800 rows. Two departures: ranks are summed for
    batch rows only, O(B N) instead of O(N^2), which gives the same value; and where a correlation is 0 / 0 there, it
    counts as 0.

    Args:
        scores: Model outputs, higher is better; any floating dtype.
        targets: Subjective quality on a linear scale; the program divides MOS by its largest value.
        bank_scores: Scores of earlier rows, taken without gradient.
        bank_targets: Their targets.
        target_std: Part of the signature all losses share; not used here.
        alpha: Weight of the linear correlation, not negative.
        beta: Weight of the rank correlation, not negative.
        gamma: Weight of the squared error, not negative.
        location: Target value that maps to 0 in the squared error.
        scale: Target difference that maps to 1 in the squared error, positive.

    Returns:
        A scalar: float64 for float64 scores, else float32. A correlation without spread on either side counts as 0,
        with a zero gradient. The gradient is not rescaled with the bank: the sums run over batch rows only.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid; see `shared_losses.rows.collect_rows`.
    """
    for name, weight in (("alpha", alpha), ("beta", beta), ("gamma", gamma)):
        check_not_negative(name, weight)
    check_positive("scale", scale)
    if not math.isfinite(location):
        raise ValueError(f"location must be finite, got {location}")
    rows = collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    batch = rows.num_batch
    own = scale_gradient(rows.scores, 1.0, torch.float64)
    y = rows.targets.double()
    error = own - (y[:batch] - location) / scale
    loss = gamma * error.square().mean()
    if rows.varied:
        x = _standardised(torch.cat([own, rows.bank_scores.double()]))
        y = _standardised(y)
        linear = _batch_correlation(x[:batch], y[:batch])
        rank = _batch_correlation(_centred_ranks(x, batch), _centred_ranks(y, batch))
        loss = loss + alpha * (1 - linear) + beta * (1 - rank)
    else:
        loss = loss + alpha + beta
    return finite_value(loss, scores)


def _standardised(values: Tensor) -> Tensor:
    # Deviations are first divided by the largest, a constant that cancels: their squares then stay in range.
    deviation = values - values.mean()
    deviation = deviation / deviation.detach().abs().max()
    return deviation / deviation.std()


def _centred_ranks(z: Tensor, batch: int) -> Tensor:
    """R of the batch rows less the mean (N + 1) / 2 that the ranks of all rows have."""
    return (torch.erf((z[:batch, None] - z) / math.sqrt(2)) / 2).sum(1)


def _batch_correlation(u: Tensor, v: Tensor) -> Tensor:
    """Correlation of values whose means over all rows are 0, summed over the batch; 0 where it is 0 / 0."""
    norm = u.norm() * v.norm()
    return (u @ v) / norm if bool(norm > 1e-100) else (u * 0).sum()
