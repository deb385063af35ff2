"""Thurstone's model of paired comparison as a loss."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from shared_losses.autocast import without_autocast
from shared_losses.gradient_scale import finite_value
from shared_losses.pairs import collect_pairs, pair_factor, score_spread, target_preference, target_stds
from shared_losses.rows import collect_rows
from shared_losses.shapes import BankFloats, BatchFloats, ScalarFloat

_LARGEST_Z = 1e75  # its square, and that over a standard deviation, stay within float64


@without_autocast
def thurstone_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    bank_target_std: BankFloats | None = None,
    score_std: BatchFloats | None = None,
    bank_score_std: BankFloats | None = None,
    rescale: bool = True,
) -> ScalarFloat:
    """Mean over pairs of the cross entropy of the model's and the opinions' probability that i is better than j.

    l(i, j) = -g log p - (1 - g) log(1 - p) with p = Phi((x_i - x_j) / sqrt(s_i^2 + s_j^2)) and
    g = Phi((y_i - y_j) / sqrt(std_i^2 + std_j^2)) where both standard deviations of the targets are known and not both
    0, else the order of the targets (1, 1/2 at ties, 0); Phi is the normal distribution. The mean runs over all ordered
    pairs that hold a batch row (see `shared_losses.pairs`).

    This is the likelihood of Thurstone's "A Law of Comparative Judgment" (1927) with independent opinions: case III
    with `score_std`, through which the gradient runs, case V without. Its use with g from rated quality is our
    reconstruction; no program was followed.

    Args:
        scores: Model outputs, higher is better; any floating dtype.
        targets: Subjective quality.
        bank_scores: Scores of other items, taken without gradient.
        bank_targets: Their targets.
        target_std: Standard deviations of the opinions behind the targets; NaN, or None, where unknown.
        bank_target_std: Those of the bank.
        score_std: Predicted standard deviations s, positive. None: 1.
        bank_score_std: Those of the bank; needed with `score_std` and a bank.
        rescale: Multiply the gradients, not the value, by N / B (all rows / batch rows).

    Returns:
        A scalar, float64 for float64 scores, else float32 (at most the largest there is). 0 for a single row. Equal
        targets draw scores together. Differences beyond 1e75 standard deviations count as 1e75.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices or values are not valid; see `shared_losses.rows.collect_rows`.
    """
    rows = collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    factor = pair_factor(rows, rescale=rescale)
    pairs = collect_pairs(rows, factor)
    z = pairs.dx / score_spread(rows, score_std, bank_score_std, factor)
    g = target_preference(pairs, target_stds(rows, target_std, bank_target_std))
    loss = -g * _log_ndtr(z) - (1 - g) * _log_ndtr(-z)
    return finite_value(pairs.mean(loss), scores)


def _log_ndtr(z: Tensor) -> Tensor:
    """Log Phi(z). Other than of torch.special.log_ndtr, the gradient is exact however small z is."""
    z = z.clamp(-_LARGEST_Z, _LARGEST_Z)
    negative = z < 0
    below, above = z.where(negative, 0), z.where(~negative, 0)
    lower = torch.special.erfcx(-below / math.sqrt(2)).log() - math.log(2) - below.square() / 2
    return torch.where(negative, lower, torch.log1p(-torch.special.ndtr(-above)))
