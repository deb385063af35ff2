"""RankNet: cross entropy of pairwise order."""

from __future__ import annotations

from torch.nn.functional import logsigmoid

from shared_losses.autocast import without_autocast
from shared_losses.gradient_scale import finite_value
from shared_losses.options import check_positive
from shared_losses.pairs import collect_pairs, pair_factor, target_order
from shared_losses.rows import collect_rows
from shared_losses.shapes import BankFloats, BatchFloats, Number, ScalarFloat


@without_autocast
def ranknet_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    sigma: Number = 1.0,
    weight_by_gap: bool = False,
    rescale: bool = True,
) -> ScalarFloat:
    """Mean over pairs of the cross entropy of p = sigmoid(sigma (x_i - x_j)) against the order of the targets.

    l(i, j) = -g log p - (1 - g) log(1 - p), with g = 1, 1/2, 0 where y_i is above, equal to, below y_j; the mean runs
    over all ordered pairs that hold a batch row (see `shared_losses.pairs`). Source: Burges et al., "Learning to Rank
    using Gradient Descent" (ICML 2005). The weights follow allRank, which leaves tied pairs out; here they count, with
    weight 0.

    Args:
        scores: Model outputs, higher is better; any floating dtype.
        targets: Subjective quality; its order counts, and its unit with `weight_by_gap`.
        bank_scores: Scores of other items, taken without gradient.
        bank_targets: Their targets.
        target_std: Part of the signature all losses share; not used here.
        sigma: Steepness, positive: how sure a score difference of 1 is.
        weight_by_gap: Multiply the loss of a pair by |y_i - y_j|.
        rescale: Multiply the gradient, not the value, by N / B (all rows / batch rows).

    Returns:
        A scalar, float64 for float64 scores, else float32 (at most the largest there is). 0 for a single row. Equal
        targets draw scores together.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid; see `shared_losses.rows.collect_rows`.
    """
    check_positive("sigma", sigma)
    rows = collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    pairs = collect_pairs(rows, pair_factor(rows, rescale=rescale))
    g = target_order(pairs)
    loss = -g * logsigmoid(sigma * pairs.dx) - (1 - g) * logsigmoid(-sigma * pairs.dx)
    if weight_by_gap:
        loss = loss * pairs.dy.abs()
    return finite_value(pairs.mean(loss), scores)
