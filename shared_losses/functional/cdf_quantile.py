"""Distance of opinion distributions and of their quartiles: the quality part of CLIP-PCQA's loss."""

from __future__ import annotations

import torch
from torch import Tensor

from shared_losses.autocast import without_autocast
from shared_losses.functional.emd import cdf_distance, level_values, predicted_cdf, target_cdf
from shared_losses.options import check_not_negative
from shared_losses.rows import collect_rows, loss_dtype
from shared_losses.shapes import BankFloats, BatchFloats, Number, ScalarFloat

QUANTILES = (0.25, 0.5, 0.75)


@without_autocast
def cdf_quantile_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    score_distribution: Tensor | None = None,
    target_distribution: Tensor | None = None,
    quantile_weight: Number = 0.2,
    low: Number = 1.0,
    high: Number | None = None,
    default_std: Number | None = None,
) -> ScalarFloat:
    """Mean over rows of sqrt(mean_c (P_c - Q_c)^2) + w mean_k |F_P(k) - F_Q(k)|, k = 0.25, 0.5, 0.75.

    P and Q are the cumulative sums of predicted and given shares over K equally spaced levels, see `emd_loss`; F(k) is
    the value at which the line through the points (level, cumulative share) reaches k. Source: the program CLIP-PCQA
    (Olivialyt/CLIP-PCQA, utils/loss.py), where w is 1 / K with five levels. Its third term, contrastive between texture
    and depth, is another loss. Deviations: the program sums over the rows of a batch; it sets a quantile that the first
    level's share exceeds already to 0, we to one step below the first level, which is the same for levels 1..5 and
    2, 4..10; and it has a NaN gradient where that happens beside an empty second level.

    Args:
        scores: Model outputs; not used but for the graph: their gradient is zero.
        targets: Subjective quality in units of the levels; see `emd_loss`.
        bank_scores: Not used; distances are of batch rows.
        bank_targets: Not used.
        target_std: Spread of opinions; see `emd_loss`.
        score_distribution: Predicted probabilities of the K levels, lowest level first, shape (B, K); rows sum to 1.
        target_distribution: Shares of opinions on the K levels, same shape; rows sum to 1.
        quantile_weight: w, not negative; per unit of the levels.
        low: Value of the first level.
        high: Value of the last level, above `low`. None: low + K - 1.
        default_std: Positive; deviation of rows whose own is unknown; see `emd_loss`.

    Returns:
        A scalar: float64 for float64 scores, else float32. Where P and Q of a row agree its gradient is zero.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid, `score_distribution` is missing, or a row of a
            distribution is negative somewhere or does not sum to 1.
    """
    check_not_negative("quantile_weight", quantile_weight)
    collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    predicted = predicted_cdf(score_distribution, scores)
    levels = level_values(predicted.shape[1], low, high).to(scores.device)
    opinions = target_cdf(target_distribution, targets, target_std, levels, default_std)
    distance = cdf_distance(predicted, opinions, 2.0)
    error = (_quantiles(predicted, levels) - _quantiles(opinions, levels)).abs().mean(1)
    loss = (distance + quantile_weight * error).mean() + (scores * 0).sum(dtype=torch.float64)
    return loss.to(loss_dtype(scores))


def _quantiles(cdf: Tensor, levels: Tensor) -> Tensor:
    k = cdf.new_tensor(QUANTILES).expand(cdf.shape[0], -1).contiguous()
    after = torch.searchsorted(cdf.detach().contiguous(), k).clamp(max=len(levels) - 1)
    before = (after - 1).clamp(min=0)
    below, above = cdf.gather(1, before), cdf.gather(1, after)
    inside = after > 0
    step = (levels[-1] - levels[0]) / (len(levels) - 1) if len(levels) > 1 else 1.0
    # Inside, below < k <= above; elsewhere the slope is replaced, for a division by 0 would give NaN gradients.
    fraction = (k - below) / torch.where(inside, above - below, 1.0)
    outside = levels[0] - step * (below > k)
    return torch.where(inside, levels[before] + step * fraction, outside)
