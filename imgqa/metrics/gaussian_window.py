"""Weighted local means under a Gaussian window."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def gaussian_mean(images: Float[Tensor, "b c h w"], size: int, sigma: float) -> Float[Tensor, "b c h2 w2"]:
    """Means under MATLAB's `fspecial('gaussian', size, sigma)` at the places where it fits into the image ('valid').

    The window is the product of a column and a row, so two passes of `size` weights do the work of size^2.

    Args:
        images: (B, C, H, W).
        size: width of the window in pixels, odd, at most H and W.
        sigma: standard deviation in pixels.

    Returns:
        (B, C, H - size + 1, W - size + 1).
    """
    weights = _weights(size, sigma)
    return _SymmetricFilter.apply(_SymmetricFilter.apply(images, weights, 2), weights, 3)


@lru_cache(maxsize=16)
def _weights(size: int, sigma: float) -> tuple[float, ...]:
    offset = np.arange(size) - (size - 1) / 2
    weights = np.exp(-(offset**2) / (2 * sigma**2))
    return tuple((weights / weights.sum()).tolist())


class _SymmetricFilter(torch.autograd.Function):
    """Sum of shifted copies along one axis.

    On a CPU twice as fast as one convolution with the square window. The transpose of a symmetric filter is the filter
    itself on a padded gradient: that spares the backward pass one full-sized buffer for each shift.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, weights: tuple[float, ...], dim: int) -> Tensor:
        ctx.weights, ctx.dim = weights, dim
        length = images.shape[dim] - len(weights) + 1
        total = images.narrow(dim, 0, length) * weights[0]
        for shift, weight in enumerate(weights[1:], start=1):
            total.add_(images.narrow(dim, shift, length), alpha=weight)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        reach = len(ctx.weights) - 1
        padding = (0, 0, reach, reach) if ctx.dim == 2 else (reach, reach)
        return _SymmetricFilter.apply(F.pad(gradients[0], padding), ctx.weights, ctx.dim), None, None
