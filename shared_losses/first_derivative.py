"""Gradients that have no derivative of their own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _FirstDerivative(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gradient: Tensor, scores: Tensor) -> Tensor:
        return gradient.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None]:
        raise RuntimeError(
            "the gradient of this loss can be taken once; spearman_loss and soft_rank have second derivatives with"
            " path='dense'"
        )


def first_derivative(gradient: Tensor, scores: Tensor) -> Tensor:
    """Returns `gradient`; where autograd records (create_graph), a derivative of it by `scores` raises RuntimeError.

    PyTorch's `once_differentiable` raises only where the upstream gradient has a graph; else the missing term would be
    left out in silence.
    """
    if not (torch.is_grad_enabled() and scores.requires_grad):
        return gradient
    return _FirstDerivative.apply(gradient, scores)  # pyright: ignore[reportReturnType]
