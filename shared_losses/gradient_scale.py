"""A tensor whose gradient is multiplied on its way back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _ScaledGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, factor: float, dtype: torch.dtype) -> Tensor:
        ctx.factor, ctx.dtype = factor, values.dtype
        return values.to(dtype, copy=True)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return saturate(gradients[0] * ctx.factor, ctx.dtype), None, None


def scale_gradient(values: Tensor, factor: float, dtype: torch.dtype | None = None) -> Tensor:
    """Returns `values` unchanged (cast to `dtype`); their gradient comes back times `factor`, in their own dtype."""
    return _ScaledGradient.apply(values, factor, dtype or values.dtype)  # pyright: ignore[reportReturnType]


def saturate(gradient: Tensor, dtype: torch.dtype) -> Tensor:
    """Casts to `dtype`, values beyond its range to its largest: in half precision no gradient turns infinite."""
    limit = torch.finfo(dtype).max
    return gradient.clamp(-limit, limit).to(dtype)


class _FiniteValue(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, dtype: torch.dtype) -> Tensor:
        return saturate(value, dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0].double(), None


def finite_value(value: Tensor, scores: Tensor) -> Tensor:
    """Casts a loss value to the type of losses of `scores`: beyond float32's range its largest, gradient as it was."""
    return _FiniteValue.apply(value, torch.promote_types(scores.dtype, torch.float32))  # pyright: ignore[reportReturnType]
