"""Pearson's linear correlation as a loss."""

from __future__ import annotations

from shared_losses.autocast import without_autocast
from shared_losses.rows import centred, collect_rows, joined_scores, loss_dtype, without_correlation
from shared_losses.shapes import BankFloats, BatchFloats, ScalarFloat


@without_autocast
def plcc_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    rescale: bool = True,
) -> ScalarFloat:
    """1 - PLCC: Pearson's correlation of scores and targets, means and norms over batch and bank.

    IQA-PyTorch and MDTVSFA train with half of it, (1 - PLCC) / 2, which is also Norm-in-Norm at p = q = 2.

    Args:
        scores: Model outputs, higher is better; any floating dtype.
        targets: Subjective quality on a linear scale.
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
    y = centred(rows.targets.double())
    # Scale does not matter: dividing by the largest deviation, as a constant, keeps tiny scores from underflow.
    x, y = x / x.detach().abs().max(), y / y.abs().max()
    rho = (x @ y) / (x.norm() * y.norm())
    return (1 - rho).to(loss_dtype(scores))
