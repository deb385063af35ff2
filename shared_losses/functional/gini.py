"""The Gini correlation as a loss."""

from __future__ import annotations

from shared_losses.autocast import without_autocast
from shared_losses.rows import centred, collect_rows, joined_scores, loss_dtype, without_correlation
from shared_losses.shapes import BankFloats, BatchFloats, ScalarFloat
from shared_losses.sorting import midrank


@without_autocast
def gini_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    rescale: bool = True,
) -> ScalarFloat:
    """1 - cov(x, F(y)) / cov(x, F(x)), F the midranks among the N rows: ranks of scores without a soft rank.

    It is 0 if and only if scores have the order of the targets, 2 if and only if they have the reverse (where neither
    has ties), and blind to shift and scale of the scores and to any monotone change of the targets. F(x) does not
    change between crossings of scores, so the gradient is exact with it as a constant. In O(N log N).

    The Gini correlation is Schechtman and Yitzhaki's (1987). Gini covariances as order-consistent objectives are from
    "CAIRO: Decoupling Order from Scale in Regression" (arXiv 2602.14440), of which the abstract was read: that the
    ratio is one of its objectives is our reconstruction.

    Args:
        scores: Model outputs, higher is better; any floating dtype.
        targets: Subjective quality on any monotone scale; ties share their mean rank.
        bank_scores: Scores of other items, taken without gradient.
        bank_targets: Their targets.
        target_std: Part of the signature all losses share; not used here.
        rescale: Multiply the gradient, not the value, by N / B (all rows / batch rows).

    Returns:
        A scalar: float64 for float64 scores, else float32. Where the N scores or the N targets are all equal the
        correlation is taken as 0: the loss is 1, its gradient zero.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices or values are not valid; see `shared_losses.rows.collect_rows`.
    """
    rows = collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    if not rows.varied:
        return without_correlation(scores)
    x = joined_scores(rows, rescale=rescale)
    ranks_x, ranks_y = centred(midrank(x)), centred(midrank(rows.targets))
    x = centred(x)
    # Scale does not matter: dividing by the largest deviation, as a constant, keeps tiny scores from underflow.
    x = x / x.detach().abs().amax()
    return (1 - (x @ ranks_y) / (x @ ranks_x)).to(loss_dtype(scores))
