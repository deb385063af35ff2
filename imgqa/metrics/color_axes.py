"""Luma and the linear colour axes of the metrics' own programs."""

import torch
from jaxtyping import Float
from torch import Tensor

# ITU-R BT.601, to the digits of the MATLAB programs of FSIM; `rgb2gray` has 0.2989, 0.5870, 0.1140.
LUMA = (0.299, 0.587, 0.114)


def luma(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b h w"]:
    """0.299 R + 0.587 G + 0.114 B of the gamma-coded values, not rounded to grey levels."""
    return color_axes(images, LUMA)[0]


def color_axes(
    images: Float[Tensor, "b 3 h w"], *axes: tuple[float, float, float]
) -> tuple[Float[Tensor, "b h w"], ...]:
    """For each axis, the sum of the red, green and blue planes under its weights."""
    # Taken apart once: the backward pass then puts the three planes together once.
    red, green, blue = images.unbind(1)
    return tuple(torch.add(r * red, green, alpha=g).add(blue, alpha=b) for r, g, b in axes)
