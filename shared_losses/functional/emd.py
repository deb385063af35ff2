"""Distance of cumulative score distributions: the earth mover's distance of NIMA."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from shared_losses.autocast import without_autocast
from shared_losses.gradient_scale import scale_gradient
from shared_losses.options import check_positive
from shared_losses.rows import check_matrix, collect_rows, loss_dtype
from shared_losses.shapes import BankFloats, BatchFloats, Number, ScalarFloat

_TOLERANCE = 1e-2  # of the sum of a row: bfloat16 keeps three digits


@without_autocast
def emd_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    score_distribution: Tensor | None = None,
    target_distribution: Tensor | None = None,
    r: Number = 2.0,
    low: Number = 1.0,
    high: Number | None = None,
    default_std: Number | None = None,
) -> ScalarFloat:
    """Mean over rows of (mean_c |P_c - Q_c|^r)^(1/r), P and Q the cumulative sums of predicted and given shares.

    The K levels are equally spaced from `low` to `high`; their values matter only where opinions come as a mean and a
    deviation. Then Q is a normal distribution of these, cut half-way between levels, its tails in the outer levels. A
    row of unknown deviation (NaN, or no `target_std`) takes `default_std`; without that, and where the deviation is 0,
    its mass is split on the two levels next to the target so that their mean is the target. Source: Talebi and
    Milanfar, "NIMA: Neural Image Assessment" (arXiv 1709.05424), ten levels from 1 to 10; it trains with r = 2 on
    opinion shares. Distributions made from means and deviations are ours.

    Args:
        scores: Model outputs; not used but for the graph: their gradient is zero.
        targets: Subjective quality in units of the levels; beyond them it counts as the outer level. Used where
            `target_distribution` is None.
        bank_scores: Not used; distances are of batch rows.
        bank_targets: Not used.
        target_std: Spread of opinions, not negative, in units of the levels; NaN where unknown. Used where
            `target_distribution` is None.
        score_distribution: Predicted probabilities of the K levels, lowest level first, shape (B, K); rows sum to 1.
        target_distribution: Shares of opinions on the K levels, same shape; rows sum to 1.
        r: Order of the distance, 1 or more.
        low: Value of the first level.
        high: Value of the last level, above `low`. None: low + K - 1.
        default_std: Positive; deviation of rows whose own is unknown.

    Returns:
        A scalar: float64 for float64 scores, else float32. Where P and Q of a row agree its gradient is zero.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid, `score_distribution` is missing, or a row of a
            distribution is negative somewhere or does not sum to 1.
    """
    if not 1 <= r < math.inf:
        raise ValueError(f"r must be finite and at least 1, got {r}")
    collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    predicted = predicted_cdf(score_distribution, scores)
    levels = level_values(predicted.shape[1], low, high)
    opinions = target_cdf(target_distribution, targets, target_std, levels.to(scores.device), default_std)
    distance = cdf_distance(predicted, opinions, r)
    return (distance.mean() + (scores * 0).sum(dtype=torch.float64)).to(loss_dtype(scores))


def cdf_distance(predicted: Tensor, opinions: Tensor, r: Number) -> Tensor:
    """Power mean of order r of |predicted - opinions| in each row; its derivative is taken as 0 where they agree."""
    # vector_norm has the derivative 0 at 0, where a root has none.
    return torch.linalg.vector_norm(predicted - opinions, ord=r, dim=1) / predicted.shape[1] ** (1 / r)


def predicted_cdf(score_distribution: Tensor | None, scores: Tensor) -> Tensor:
    """Checked cumulative sums of predicted probabilities, float64, with their graph."""
    if score_distribution is None:
        raise ValueError("score_distribution is missing: the model must predict the probability of every level")
    _check_shares("score_distribution", score_distribution, None, scores)
    return scale_gradient(score_distribution, 1.0, torch.float64).cumsum(1)


def level_values(count: int, low: Number, high: Number | None) -> Tensor:
    """K equally spaced values from `low` to `high` (None: low + K - 1), float64."""
    high = low + count - 1 if high is None else high
    if not (-math.inf < low < high < math.inf or (count == 1 and low == high)):
        raise ValueError(f"low and high must be finite and low < high, got {low} and {high}")
    return torch.linspace(low, high, count, dtype=torch.float64)


def target_cdf(
    target_distribution: Tensor | None,
    targets: Tensor,
    target_std: Tensor | None,
    levels: Tensor,
    default_std: Number | None,
) -> Tensor:
    """Cumulative shares of opinions on `levels`, float64: those given, else of a normal distribution or two levels."""
    if default_std is not None:
        check_positive("default_std", default_std)
    if target_distribution is not None:
        _check_shares("target_distribution", target_distribution, len(levels), targets)
        return target_distribution.detach().double().cumsum(1)
    y = targets.detach().double()
    std = torch.full_like(y, math.nan) if target_std is None else target_std.detach().double()
    if bool((std < 0).any()):
        raise ValueError(f"target_std must not be negative, got {std[std < 0][0].item():g}")
    std = std.nan_to_num(nan=0.0 if default_std is None else float(default_std))[:, None]
    upper = (levels[1:] - y[:, None]).clamp(-1e200, 1e200)  # of every level but the last: what lies above it
    gap = levels.diff()
    split = (upper / gap).clamp(0, 1)
    normal = torch.special.ndtr((upper - gap / 2) / torch.where(std > 0, std, 1))
    return torch.nn.functional.pad(torch.where(std > 0, normal, split), (0, 1), value=1.0)


def _check_shares(name: str, shares: Tensor, num_levels: int | None, like: Tensor) -> None:
    check_matrix(name, shares, num_levels, like=("scores" if num_levels is None else "targets", like))
    sums = shares.detach().double().sum(1)
    if bool((shares < 0).any() | ((sums - 1).abs() > _TOLERANCE).any()):
        raise ValueError(
            f"{name} must hold shares that are not negative and sum to 1 in every row; the lowest is"
            f" {shares.min().item():g}, sums run from {sums.min().item():g} to {sums.max().item():g}"
        )
