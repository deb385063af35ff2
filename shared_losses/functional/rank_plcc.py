"""Pearson's correlation with the ranks of the targets as a loss."""

from __future__ import annotations

from shared_losses.autocast import without_autocast
from shared_losses.rows import centred, collect_rows, joined_scores, loss_dtype, without_correlation
from shared_losses.shapes import BankFloats, BatchFloats, ScalarFloat
from shared_losses.sorting import midrank


@without_autocast
def rank_plcc_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    rescale: bool = True,
) -> ScalarFloat:
    """1 - Pearson's correlation of the scores with the midranks of the targets among batch and bank.

    Half of SROCC: ranks of the targets, which need no gradient, but the scores as they are. It is 0 where the scores
    are linear in the ranks. Our baseline; no paper or program was followed.

    Args:
        scores: Model outputs, higher is better; any floating dtype.
        targets: Subjective quality on any monotone scale; ties share their mean rank.
        bank_scores: Scores of other items, taken without gradient.
        bank_targets: Their targets.
        target_std: Part of the signature all losses share; not used here.
        rescale: Multiply the gradient, not the value, by N / B (all rows / batch rows).

    Returns:
        1 - rho, a scalar: float64 for float64 scores, else float32. Where the N scores or the N targets are all equal
        rho is taken as 0: the loss is 1, its gradient zero.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices or values are not valid; see `shared_losses.rows.collect_rows`.
    """
    rows = collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    if not rows.varied:
        return without_correlation(scores)
    x = centred(joined_scores(rows, rescale=rescale))
    # Scale does not matter: dividing by the largest deviation, as a constant, keeps tiny scores from underflow.
    x = x / x.detach().abs().amax()
    ranks = centred(midrank(rows.targets))
    rho = (x @ ranks) / (x.norm() * ranks.norm())
    return (1 - rho).to(loss_dtype(scores))
