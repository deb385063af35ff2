"""The fidelity loss of UNIQUE and LIQE."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from shared_losses.autocast import without_autocast
from shared_losses.gradient_scale import finite_value, scale_gradient
from shared_losses.options import check_choice, check_not_negative
from shared_losses.pairs import (
    Pairs,
    collect_pairs,
    pair_factor,
    score_spread,
    target_order,
    target_preference,
    target_stds,
)
from shared_losses.rows import Rows, collect_rows
from shared_losses.shapes import BankFloats, BatchFloats, Number, ScalarFloat

_EPS = 1e-8


@without_autocast
def fidelity_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    bank_target_std: BankFloats | None = None,
    score_std: BatchFloats | None = None,
    bank_score_std: BankFloats | None = None,
    form: str = "unique",
    std_weight: Number = 0.0,
    std_margin: Number = 0.025,
    rescale: bool = True,
) -> ScalarFloat:
    """Fidelity of the model's and the opinions' probability that i is better than j, as in UNIQUE and LIQE.

    The mean over pairs of 1 - sqrt(p g + e) - sqrt((1 - p)(1 - g) + e), e = 1e-8. p is the model's probability that i
    is better than j, g that of the opinions; Phi is the normal distribution:
    - "unique": p = Phi((x_i - x_j) / sqrt(s_i^2 + s_j^2 + 1e-8)) with predicted standard deviations s taken as
      constants; g = Phi((y_i - y_j) / sqrt(std_i^2 + std_j^2)) where both standard deviations of the targets are known
      and not both 0, else the order of the targets (1, 1/2 at ties, 0).
    - "liqe": p = Phi(x_i - x_j), g the order of the targets; no standard deviation is used.
    The mean runs over all ordered pairs that hold a batch row (see `shared_losses.pairs`), without a bank the same as
    over the pairs i < j.

    With `std_weight` its multiple of UNIQUE's hinge is added, the mean over the pairs with known standard deviations of
    relu(margin - sign(std_i - std_j) (s_i - s_j)), which alone trains s; pairs of equal std add the margin, a constant,
    as in the program.

    Sources: Zhang et al., "Uncertainty-Aware Blind Image Quality Assessment in the Laboratory and Wild" (UNIQUE) and
    "Blind Image Quality Assessment via Vision-Language Correspondence" (LIQE) with their programs. UNIQUE draws random
    pairs; all pairs, and the bank, are our extension. LIQE averages over its data sets: call it once for each.

    Args:
        scores: Model outputs, higher is better; any floating dtype.
        targets: Subjective quality.
        bank_scores: Scores of other items, taken without gradient.
        bank_targets: Their targets.
        target_std: Standard deviations of the opinions behind the targets; NaN, or None, where unknown.
        bank_target_std: Those of the bank.
        score_std: Predicted standard deviations s, positive. None: 1.
        bank_score_std: Those of the bank; needed with `score_std` and a bank.
        form: "unique" or "liqe".
        std_weight: Weight of the hinge on standard deviations; 1 in UNIQUE's program, 0 is off. Only for "unique".
        std_margin: Margin of that hinge, not negative.
        rescale: Multiply the gradient, not the value, by N / B (all rows / batch rows).

    Returns:
        A scalar: float64 for float64 scores, else float32. 0 for a single row.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid (see `shared_losses.rows.collect_rows`), or
            `std_weight` is positive with the form "liqe" or without `score_std` or `target_std`.
    """
    check_choice("form", form, ("unique", "liqe"))
    check_not_negative("std_weight", std_weight)
    check_not_negative("std_margin", std_margin)
    if std_weight > 0 and (form == "liqe" or score_std is None or target_std is None):
        raise ValueError(f'std_weight={std_weight} needs form="unique", score_std and target_std')
    rows = collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    factor = pair_factor(rows, rescale=rescale)
    pairs = collect_pairs(rows, factor)
    spread = score_spread(rows, score_std, bank_score_std, factor).detach()
    stds = target_stds(rows, target_std, bank_target_std)
    if form == "unique":
        z = pairs.dx / torch.hypot(spread, spread.new_tensor(math.sqrt(_EPS)))
        g = target_preference(pairs, stds)
    else:
        z, g = pairs.dx, target_order(pairs)
    p, q = torch.special.ndtr(z), torch.special.ndtr(-z)
    loss = pairs.mean(1 - (p * g + _EPS).sqrt() - (q * (1 - g) + _EPS).sqrt())
    if std_weight > 0 and score_std is not None:
        loss = loss + std_weight * _std_hinge(rows, pairs, score_std, bank_score_std, stds, factor, std_margin)
    return finite_value(loss, scores)


def _std_hinge(
    rows: Rows,
    pairs: Pairs,
    score_std: Tensor,
    bank_score_std: Tensor | None,
    stds: Tensor,
    factor: float,
    margin: Number,
) -> Tensor:
    s = scale_gradient(score_std, factor, torch.float64)
    bank = rows.bank_scores if bank_score_std is None else bank_score_std.detach()
    gap = stds[: rows.num_batch, None] - stds
    known = ~gap.isnan()
    order = gap.where(known, 0).sign()
    return pairs.mean(torch.relu(margin - order * (s[:, None] - torch.cat([s, bank.double()]))), known)
