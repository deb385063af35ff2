"""The relative ranking loss of TReS: triplets of the extremes."""

from __future__ import annotations

import torch

from shared_losses.autocast import without_autocast
from shared_losses.gradient_scale import finite_value
from shared_losses.options import check_positive
from shared_losses.rows import check_finite, collect_rows, joined_scores, loss_dtype
from shared_losses.shapes import BankFloats, BatchFloats, Number, ScalarFloat


@without_autocast
def relative_ranking_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    scale: Number = 1.0,
    rescale: bool = True,
) -> ScalarFloat:
    """Two triplet losses on the rows of lowest, second lowest, second highest and highest target.

    With the N rows in order of rising targets: relu(|x_1 - x_2| - |x_1 - x_N| + y_N - y_2)
    + relu(|x_N - x_(N-1)| - |x_N - x_1| + y_(N-1) - y_1). Scores must be on the scale of y, the targets over
    `scale`. Distances do not know which end is up: a mirrored order costs nothing, so this goes with another loss.
    Source: Golestaneh, Dadsetan and Kitani, "No-Reference Image Quality Assessment via Transformers, Relative Ranking,
    and Self-Consistency" (WACV 2022) and its program TReS, which gives the term a weight of 0.05 beside the absolute
    error, and adds 1e-6 to each difference, left out here. The bank is our extension.

    Rows of equal targets are taken by rising score; of rows equal in both, any one.

    Args:
        scores: Model outputs, higher is better, in units of the targets over `scale`; any floating dtype.
        targets: Subjective quality on a linear scale.
        bank_scores: Scores of other items, taken without gradient; the extremes are those of batch and bank.
        bank_targets: Their targets.
        target_std: Part of the signature all losses share; not used here.
        scale: Target difference that is a score difference of 1, positive; `Objective` passes the standard deviation
            of the training targets.
        rescale: Multiply the gradient, not the value, by N / B (all rows / batch rows). It is zero in every batch that
            holds none of the extremes.

    Returns:
        A scalar, float64 for float64 scores, else float32 (at most the largest there is). 0, with a zero gradient, for
        fewer than three rows.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices or values are not valid; see `shared_losses.rows.collect_rows`.
    """
    check_positive("scale", scale)
    rows = collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    if rows.num_rows < 3:
        return (scores * 0).sum(dtype=loss_dtype(scores))
    x, y = joined_scores(rows, rescale=rescale), rows.targets.double() / scale
    check_finite("targets over scale", y)
    by_score = x.detach().argsort(stable=True)
    order = by_score[y[by_score].argsort(stable=True)]
    x, y = x[order], y[order]
    width = (x[-1] - x[0]).abs()
    low = (x[0] - x[1]).abs() - width + y[-1] - y[1]
    high = (x[-1] - x[-2]).abs() - width + y[-2] - y[0]
    return finite_value(torch.relu(low) + torch.relu(high), scores)
