"""Spearman's correlation with hard ranks, differentiated by blackbox interpolation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from shared_losses.autocast import without_autocast
from shared_losses.first_derivative import first_derivative
from shared_losses.options import check_choice, check_positive
from shared_losses.rows import centred, collect_rows, joined_scores, loss_dtype, without_correlation
from shared_losses.shapes import BankFloats, BatchFloats, Number, ScalarFloat
from shared_losses.sorting import midrank

UNITS = ("deviation", "score")
_LARGEST_STEP = 1e200


@without_autocast
def blackbox_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    interpolation: Number = 10.0,
    unit: str = "deviation",
    rescale: bool = True,
) -> ScalarFloat:
    """1 - SROCC of hard ranks, with the gradient of blackbox differentiation: a second ranking, a step away.

    The value is exact, over all N rows; the gradient is (u(x) - u(x - lambda g)) / lambda. u(x) are the midranks of the
    scores over N, ascending, and g is the derivative of the loss by u. The published -(rk(x) - rk(x + lambda g)) /
    lambda has descending ranks, which are the ascending ranks of -x: hence the signs. The gradient is that of a
    piecewise linear interpolation of the loss between its plateaus; it is zero where lambda g changes no rank. Source:
    Vlastelica, Paulus, Musil, Martius and Rolinek, "Differentiation of Blackbox Combinatorial Solvers" (arXiv
    1912.02175); Rolinek, Musil, Paulus, Vlastelica, Michaelis and Martius, "Optimizing Rank-based Metrics with Blackbox
    Differentiation" (arXiv 1912.03500); program martius-lab/blackbox-backprop. Deviations: ties share their mean rank;
    g is that of this loss alone, so that a weight on the loss, or the scaling of mixed precision, multiplies the
    gradient and does not change lambda; the score margin of the paper is left out.

    Args:
        scores: Model outputs, higher is better; any floating dtype.
        targets: Subjective quality on any scale; only its order matters.
        bank_scores: Scores of other items, taken without gradient; they are ranked and perturbed with the batch's.
        bank_targets: Their targets.
        target_std: Part of the signature all losses share; not used here.
        interpolation: lambda, positive. One unit moves a typical score by about one gap between neighbours times
            sqrt(1 - rho^2), whatever N. Too small a value gives zeros, too large a one a gradient blind to gaps; with
            10, from 16 to 2,048 normal scores, 75 to 95 % of the rows have a gradient.
        unit: "deviation": lambda is in standard deviations of the N scores, taken as constants, so that the loss does
            not see their scale. "score": lambda as it is, as published.
        rescale: Multiply the gradient, not the value, by N / B (all rows / batch rows).

    Returns:
        A scalar: float64 for float64 scores, else float32. Where the N scores or the N targets are all equal the
        correlation is taken as 0: the loss is 1, its gradient zero.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid; see `shared_losses.rows.collect_rows`.
    """
    check_positive("interpolation", interpolation)
    check_choice("unit", unit, UNITS)
    rows = collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    if not rows.varied:
        return without_correlation(scores)
    x = joined_scores(rows, rescale=rescale)
    known, count = x.detach(), rows.num_rows
    u = midrank(known) / count
    a, b = centred(u), centred(midrank(rows.targets))
    rho = (a @ b) / (a.norm() * b.norm())
    g = (rho * a / a.norm() - b / b.norm()) / a.norm()
    size = interpolation * known.std(correction=0).item() if unit == "deviation" else interpolation
    size = min(max(size, 1 / _LARGEST_STEP), _LARGEST_STEP)
    gradient = (u - midrank(known - size * g) / count) / size
    return _with_gradient(1 - rho, x, gradient).to(loss_dtype(scores))


class _WithGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, x: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient, x)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, None]:
        gradient, x = ctx.saved_tensors
        return None, first_derivative(gradients[0] * gradient, x), None


def _with_gradient(value: Tensor, x: Tensor, gradient: Tensor) -> Tensor:
    return _WithGradient.apply(value, x, gradient)  # pyright: ignore[reportReturnType]
