"""ListMLE: the likelihood of the order of the targets."""

from __future__ import annotations

import torch
from torch import Tensor

from shared_losses.autocast import without_autocast
from shared_losses.gradient_scale import finite_value
from shared_losses.rows import collect_rows, joined_scores
from shared_losses.shapes import BankFloats, BatchFloats, ScalarFloat


@without_autocast
def listmle_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    rescale: bool = True,
) -> ScalarFloat:
    """Negative log likelihood of the targets' order under the Plackett-Luce model, per row, in O(N log N).

    With the N rows in order of falling targets, x_(1) ... x_(N): (1 / N) sum_k [logsumexp_{j >= k} x_(j) - x_(k)].
    Source: Xia et al., "Listwise Approach to Learning to Rank: Theory and Algorithm" (ICML 2008); the division by N is
    our choice.

    Rows of equal targets have no order. They are taken by rising score, which makes the loss the largest of all their
    orders: it stays convex and continuous in the scores, does not depend on the order of rows, and draws tied rows
    together, as the mean over their orders would. By falling score it would drive them apart. Rows equal in target
    and score share their gradient.

    Args:
        scores: Model outputs, higher is better; any floating dtype. Their scale counts.
        targets: Subjective quality on any monotone scale.
        bank_scores: Scores of other items, taken without gradient; they are part of the one list.
        bank_targets: Their targets.
        target_std: Part of the signature all losses share; not used here.
        rescale: Multiply the gradient, not the value, by N / B (all rows / batch rows).

    Returns:
        A scalar, float64 for float64 scores, else float32 (at most the largest there is). 0 for a single row. If all
        scores and all targets are equal, the gradient is zero.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices or values are not valid; see `shared_losses.rows.collect_rows`.
    """
    rows = collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    x, y = joined_scores(rows, rescale=rescale), rows.targets.double()
    by_score = x.detach().argsort(stable=True)
    order = by_score[y[by_score].argsort(descending=True, stable=True)]
    x = _share_gradient(x[order], y[order])
    # By differences to the largest, so that scores far from 0 lose no digits.
    x = x - x.detach().amax()
    loss = (x.flip(0).logcumsumexp(0).flip(0) - x).mean()
    return finite_value(loss, scores)


def _share_gradient(x: Tensor, y: Tensor) -> Tensor:
    """The sorted `x`, each run of rows equal in `x` and `y` as its mean."""
    starts = torch.ones_like(x, dtype=torch.bool)
    starts[1:] = (x.detach().diff() != 0) | (y.diff() != 0)
    run = starts.cumsum(0) - 1
    sizes = torch.zeros_like(y).index_add_(0, run, torch.ones_like(y))
    sums = torch.zeros_like(y).index_add(0, run, x)
    return (sums / sizes.clamp(min=1))[run]
