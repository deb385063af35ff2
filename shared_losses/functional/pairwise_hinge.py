"""Hinges on pairs in the wrong order, as three programs of quality assessment have them."""

from __future__ import annotations

import torch

from shared_losses.autocast import without_autocast
from shared_losses.gradient_scale import finite_value
from shared_losses.options import check_choice, check_positive
from shared_losses.pairs import collect_pairs, pair_factor
from shared_losses.rows import collect_rows
from shared_losses.shapes import BankFloats, BatchFloats, Number, ScalarFloat

_EPS = 1e-8


@without_autocast
def pairwise_hinge_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    form: str = "linearity",
    detach: bool = False,
    threshold: Number = 1.0,
    margin: bool = False,
    rescale: bool = True,
) -> ScalarFloat:
    """How far pairs are in the wrong order: h(i, j) = relu(-sign(y_i - y_j) (x_i - x_j)).

    The forms, for N rows without a bank:
    - "linearity": sum h / (N (N - 1)) / (1 + max h), the monotonicity term of LinearityIQA. Without `detach` the
      gradient runs through the maximum.
    - "pyiqa": sum h / N^2 / (1 + max h), the maximum always a constant (RankLoss). For a single row pyiqa returns
      |x - y|; here it is 0.
    - "mm_pcqa": sum h / (count + 1e-8) over the pairs with 0 < |y_i - y_j| < threshold: only pairs of similar quality
      count. The rank part of L2RankLoss of MM-PCQA and GMS-3DQA; add the squared error as a term of its own.

    With a bank, sums, counts and maxima run over the ordered pairs that hold a batch row (see `shared_losses.pairs`;
    "pyiqa" is then (N - 1) / N times their mean). This is our extension, the programs have no bank.

    Args:
        scores: Model outputs, higher is better; any floating dtype. "linearity" and "pyiqa" are not blind to scale.
        targets: Subjective quality; its order counts, and its unit for "mm_pcqa".
        bank_scores: Scores of other items, taken without gradient.
        bank_targets: Their targets.
        target_std: Part of the signature all losses share; not used here.
        form: "linearity", "pyiqa" or "mm_pcqa".
        detach: For "linearity": take the maximum as a constant in the gradient.
        threshold: For "mm_pcqa": positive, in units of the targets; the programs use 1 on their MOS scales.
        margin: For "mm_pcqa": ask for a gap, relu(|y_i - y_j| - sign(y_i - y_j) (x_i - x_j)); off in the programs.
        rescale: Multiply the gradient, not the value, by N / B (all rows / batch rows). With rescale=False it is that
            of all N rows up to the constants that a bank's inner pairs would change: the maximum, or for "mm_pcqa"
            the share of pairs that count.

    Returns:
        A scalar, float64 for float64 scores, else float32 (at most the largest there is). 0, with a zero gradient,
        where no pair is in the wrong order.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid; see `shared_losses.rows.collect_rows`.
    """
    check_choice("form", form, ("linearity", "pyiqa", "mm_pcqa"))
    check_positive("threshold", threshold)
    rows = collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    pairs = collect_pairs(rows, pair_factor(rows, rescale=rescale))
    gap = pairs.dy.abs()
    hinge = torch.relu((gap if form == "mm_pcqa" and margin else 0) - pairs.dy.sign() * pairs.dx)
    if form == "mm_pcqa":
        weights = pairs.weights * ((gap > 0) & (gap < threshold))
        loss = (weights * hinge).sum() / (weights.sum() + _EPS)
    elif form == "linearity":
        loss = pairs.mean(hinge) / (1 + (hinge.detach() if detach else hinge).amax())
    else:
        loss = pairs.mean(hinge) * ((rows.num_rows - 1) / rows.num_rows) / (1 + hinge.detach().amax())
    return finite_value(loss, scores)
