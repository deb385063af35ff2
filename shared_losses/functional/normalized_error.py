"""Squared error between scores and targets that are both normalised: the relatives of Norm-in-Norm."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from shared_losses.autocast import without_autocast
from shared_losses.functional.norm_in_norm import EPS, check_alpha, order_norm
from shared_losses.gradient_scale import finite_value
from shared_losses.options import check_choice
from shared_losses.rows import collect_rows, joined_scores, loss_dtype
from shared_losses.shapes import BankFloats, BatchFloats, Number, ScalarFloat

NORMALIZERS = ("z_score", "min_max", "mean", "scaling")


@without_autocast
def normalized_error_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    normalizer: str = "z_score",
    alpha: Sequence[Number] = (1.0, 0.0),
    p: Number = 2.0,
    detach: bool = False,
    rescale: bool = True,
) -> ScalarFloat:
    """LinearityIQA's other normalisers: squared error of scores and targets, each normalised over the N rows.

    (alpha_0 mean (a - b)^2 + alpha_1 mean (c a - b)^2) / (s (alpha_0 + alpha_1)): a are the normalised scores, b the
    targets normalised alike, c their cosine; eps = 1e-8; by `normalizer`: "z_score" (x - mean) / (std + eps), s = 4;
    "min_max" (x - min) / (max - min + eps), s = 1; "mean" (x - mean) / (max - min + eps), s = 4; "scaling" x / (|x|_p +
    eps), s = 4. With "z_score" the first term is (1 - PLCC) / 2, the second (1 - PLCC^2) / 4. Source: the program
    LinearityIQA of Li, Jiang and Jiang (arXiv 2008.03889), which compares its Norm-in-Norm loss with these; its names
    are "linearity", "min-max-norm", "mean-norm" and "scaling".

    Args:
        scores: Model outputs, higher is better; any floating dtype.
        targets: Subjective quality on a linear scale.
        bank_scores: Scores of other items, taken without gradient; they take part in statistics and means.
        bank_targets: Their targets.
        target_std: Part of the signature all losses share; not used here.
        normalizer: "z_score", "min_max", "mean" or "scaling".
        alpha: Weights of the two terms, not negative, not both 0.
        p: Order of the norm of "scaling", at least 0.1; may be infinite. Others do not use it.
        detach: Take the statistics of the scores (mean, deviation, extremes, norm) as constants in the gradient.
        rescale: Multiply the gradient, not the value, by N / B (all rows / batch rows).

    Returns:
        A scalar: float64 for float64 scores, else float32. For a single row it is 0. Where the N scores or the N
        targets are all equal it has the value of the formula; its gradient is then zero, but with "scaling".

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid; see `shared_losses.rows.collect_rows`.
    """
    check_choice("normalizer", normalizer, NORMALIZERS)
    check_alpha(alpha)
    if not p >= 0.1:
        raise ValueError(f"p must be at least 0.1, got {p}")
    rows = collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    nothing = (scores * 0).sum(dtype=torch.float64)
    if rows.num_rows == 1:
        return nothing.to(loss_dtype(scores))
    a = _normalised(joined_scores(rows, rescale=rescale), normalizer, p, detach)
    b = _normalised(rows.targets.double(), normalizer, p, detach)
    loss = nothing
    if alpha[0] > 0:
        loss = loss + alpha[0] / sum(alpha) * (a - b).square().mean()
    if alpha[1] > 0:
        # The program takes the cosine as the mean of products for z-scores: the same, but for eps.
        cosine = (a * b).mean() if normalizer == "z_score" else torch.cosine_similarity(a, b, dim=0)
        loss = loss + alpha[1] / sum(alpha) * (cosine * a - b).square().mean()
    if normalizer != "min_max":
        loss = loss / 4
    if normalizer != "scaling" and not rows.varied:
        # Deviation and range have no derivative there, or one of the order 1 / eps.
        loss = loss.detach() + nothing
    return finite_value(loss, scores)


def _normalised(x: Tensor, normalizer: str, p: Number, detach: bool) -> Tensor:
    known = x.detach() if detach else x
    if normalizer == "scaling":
        return x / (order_norm(known, p) + EPS)
    if normalizer == "z_score":
        return (x - known.mean()) / (known.std(correction=0) + EPS)
    middle = known.min() if normalizer == "min_max" else known.mean()
    return (x - middle) / (known.max() - known.min() + EPS)
