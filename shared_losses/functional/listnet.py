"""ListNet: cross entropy of top-one probabilities."""

from __future__ import annotations

from torch import Tensor

from shared_losses.autocast import without_autocast
from shared_losses.gradient_scale import finite_value
from shared_losses.options import check_positive
from shared_losses.rows import centred, collect_rows, joined_scores
from shared_losses.shapes import BankFloats, BatchFloats, Number, ScalarFloat


@without_autocast
def listnet_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    score_temperature: Number = 1.0,
    target_temperature: Number = 1.0,
    standardize: bool = False,
    rescale: bool = True,
) -> ScalarFloat:
    """Cross entropy of two softmax distributions over the N rows: which row is the best, by targets and by scores.

    -sum_i softmax(y / T_y)_i log softmax(x / T_x)_i. Source: Cao et al., "Learning to Rank: From Pairwise Approach to
    Listwise Approach" (ICML 2007), top-one model, with T_x = T_y = 1. On a scale of 0 to 100 softmax(y) is all but
    one-hot and only the best row counts; the temperatures and `standardize` are our addition.

    Args:
        scores: Model outputs, higher is better; any floating dtype.
        targets: Subjective quality on a linear scale.
        bank_scores: Scores of other items, taken without gradient; they are part of the one list.
        bank_targets: Their targets.
        target_std: Part of the signature all losses share; not used here.
        score_temperature: T_x, positive, in units of the scores.
        target_temperature: T_y, positive, in units of the targets, or in standard deviations with `standardize`.
        standardize: Bring the N targets to mean 0 and population standard deviation 1 first. Equal targets become 0.
        rescale: Multiply the gradient, not the value, by N / B (all rows / batch rows).

    Returns:
        A scalar, float64 for float64 scores, else float32 (at most the largest there is). 0 for a single row. Equal
        targets draw scores together.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid; see `shared_losses.rows.collect_rows`.
    """
    check_positive("score_temperature", score_temperature)
    check_positive("target_temperature", target_temperature)
    rows = collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    x, y = joined_scores(rows, rescale=rescale), rows.targets.double()
    if standardize:
        y = _standardized(y)
    loss = -(y / target_temperature).softmax(0) @ (x / score_temperature).log_softmax(0)
    return finite_value(loss, scores)


def _standardized(y: Tensor) -> Tensor:
    y = centred(y)
    largest = y.abs().amax()
    y = y / largest.where(largest > 0, 1)  # keeps tiny deviations from underflow
    std = y.square().mean().sqrt()
    return y / std.where(std > 0, 1)
