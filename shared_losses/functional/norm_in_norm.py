"""The Norm-in-Norm loss of LinearityIQA."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from shared_losses.autocast import without_autocast
from shared_losses.rows import centred, collect_rows, joined_scores, loss_dtype
from shared_losses.shapes import BankFloats, BatchFloats, Number, ScalarFloat

EPS = 1e-8
_SMALLEST_ORDER = 0.1  # N^(1 / order) has to stay in range


@without_autocast
def norm_in_norm_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    p: Number = 1.0,
    q: Number = 2.0,
    alpha: Sequence[Number] = (1.0, 0.0),
    detach: bool = False,
    exponent: bool = True,
    rescale: bool = True,
) -> ScalarFloat:
    """p-norm of the difference between scores and targets, each centred and divided by its q-norm.

    With a = (x - mean x) / (eps + |x - mean x|_q), b likewise from the targets, eps = 1e-8, over N rows:
    l0 = (|a - b|_p / s)^p and l1 = (|c a - b|_p / s)^p, c the cosine of a and b,
    s = 2^max(1, 1/q) N^max(0, 1/p - 1/q); the loss is (alpha_0 l0 + alpha_1 l1) / (alpha_0 + alpha_1).
    For p = q = 2 and alpha = (1, 0) it is (1 - PLCC) / 2. Source: Li, Jiang and Jiang, "Norm-in-Norm Loss with Faster
    Convergence and Better Performance for Image Quality Assessment" (arXiv 2008.03889) and its program LinearityIQA.

    Args:
        scores: Model outputs, higher is better; any floating dtype.
        targets: Subjective quality on a linear scale.
        bank_scores: Scores of other items, taken without gradient; they take part in means, norms and sums.
        bank_targets: Their targets.
        target_std: Part of the signature all losses share; not used here.
        p: Order of the outer norm, finite and at least 0.1. Below 1, eps is added to the error, as in the program: it
            shifts an error of 0 to where the norm has a derivative.
        q: Order of the inner norm, at least 0.1; may be infinite (the largest deviation).
        alpha: Weights of l0 and l1, not negative, not both 0. The paper's variant is (1, 0.1).
        detach: Take the mean and the norm of the scores as constants in the gradient.
        exponent: Raise the scaled norms to the power p.
        rescale: Multiply the gradient, not the value, by N / B (all rows / batch rows).

    Returns:
        A scalar: float64 for float64 scores, else float32. Where the N scores or the N targets are all equal it has
        the value of the formula and a zero gradient; for a single row both are 0.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid; see `shared_losses.rows.collect_rows`.
    """
    if not _SMALLEST_ORDER <= p < math.inf:
        raise ValueError(f"p must be finite and at least {_SMALLEST_ORDER}, got {p}")
    if not q >= _SMALLEST_ORDER:
        raise ValueError(f"q must be at least {_SMALLEST_ORDER}, got {q}")
    check_alpha(alpha)
    rows = collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    x, y = joined_scores(rows, rescale=rescale), rows.targets.double()
    x = x - (x.detach() if detach else x).mean()
    a = x / (EPS + order_norm(x.detach() if detach else x, q))
    y = centred(y)
    b = y / (EPS + order_norm(y, q))
    scale = 2 ** max(1.0, 1 / q) * rows.num_rows ** max(0.0, 1 / p - 1 / q)
    loss = a.new_zeros(())
    for weight, error in zip(alpha, (lambda: a - b, lambda: torch.cosine_similarity(a, b, dim=0) * a - b), strict=True):
        if weight > 0:
            size = order_norm(error() + (EPS if p < 1 else 0.0), p) / scale
            loss = loss + weight / sum(alpha) * (size**p if exponent else size)
    if not rows.varied:
        # The derivative of the norm is of the order 1 / eps there, or undefined.
        loss = loss.detach() + (scores * 0).sum()
    return loss.to(loss_dtype(scores))


def check_alpha(alpha: Sequence[Number]) -> None:
    """Raises ValueError unless `alpha` holds the weights of l0 and l1: not negative, not both 0."""
    if len(alpha) != 2 or not (min(alpha) >= 0 and 0 < sum(alpha) < math.inf):
        raise ValueError(f"alpha must be two weights, not negative and not both 0, got {tuple(alpha)}")


def order_norm(values: Tensor, order: Number) -> Tensor:
    """Norm of a vector of any positive order, 0 with derivative 0 for a zero vector; powers stay in range."""
    # A power of two divides without rounding.
    size = torch.exp2(torch.frexp(values.detach().abs().max())[1].double())
    return torch.linalg.vector_norm(values / size, ord=order) * size
