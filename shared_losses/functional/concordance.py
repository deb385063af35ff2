"""Lin's concordance correlation as a loss."""

from __future__ import annotations

import math

from shared_losses.autocast import without_autocast
from shared_losses.options import check_positive
from shared_losses.rows import centred, collect_rows, joined_scores, loss_dtype, without_correlation
from shared_losses.shapes import BankFloats, BatchFloats, Number, ScalarFloat


@without_autocast
def concordance_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    location: Number | None = None,
    scale: Number | None = None,
    rescale: bool = True,
) -> ScalarFloat:
    """1 - CCC, moments over batch and bank: a correlation that also falls with a wrong mean or spread.

    CCC = 2 cov(x, y) / (var x + var y + (mean x - mean y)^2), population moments over the N rows, y the targets after
    (y - location) / scale. Source: Lin, "A Concordance Correlation Coefficient to Evaluate Reproducibility" (1989).

    Args:
        scores: Model outputs, higher is better, in units of the standardised targets; any floating dtype.
        targets: Subjective quality on a linear scale.
        bank_scores: Scores of other items, taken without gradient.
        bank_targets: Their targets.
        target_std: Part of the signature all losses share; not used here.
        location: Target value that maps to 0, best the mean of the training set. None: 0, targets as they are.
        scale: Positive; target difference that maps to 1, best the standard deviation of the training set. None: 1.
        rescale: Multiply the gradient, not the value, by N / B (all rows / batch rows).

    Returns:
        A scalar: float64 for float64 scores, else float32. Where the N targets are all equal CCC is taken as 0: the
        loss is 1, its gradient zero. Equal scores also give 1, but have a gradient, towards the targets.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid; see `shared_losses.rows.collect_rows`.
    """
    if location is not None and not math.isfinite(location):
        raise ValueError(f"location must be finite, got {location}")
    if scale is not None:
        check_positive("scale", scale)
    rows = collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    y = (rows.targets.double() - (location or 0)) / (scale or 1)
    if not bool((y != y[0]).any()):
        return without_correlation(scores)
    # A common shift and scale do not matter: as constants they keep digits and prevent underflow.
    x, y = joined_scores(rows, rescale=rescale) - y.mean(), centred(y)
    largest = x.detach().abs().amax().maximum(y.abs().amax())
    x, y = x / largest, y / largest
    covariance = (centred(x) * y).mean()
    spread = centred(x).square().mean() + y.square().mean() + x.mean().square()
    return (1 - 2 * covariance / spread).to(loss_dtype(scores))
