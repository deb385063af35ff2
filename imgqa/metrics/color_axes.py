"""Luma and the linear colour axes of the metrics' own programs."""

import torch
from jaxtyping import Float
from torch import Tensor

# ITU-R BT.601, to the digits of the MATLAB programs of FSIM; `rgb2gray` has 0.2989, 0.5870, 0.1140.
LUMA = (0.299, 0.587, 0.114)


def luma(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b h w"]:
    """0.299 R + 0.587 G + 0.114 B of the gamma-coded values, not rounded to grey levels."""
    return color_axis(images, LUMA)


def color_axis(images: Float[Tensor, "b 3 h w"], weights: tuple[float, float, float]) -> Float[Tensor, "b h w"]:
    """One weighted sum of the red, green and blue planes."""
    red, green, blue = weights
    return torch.add(red * images[:, 0], images[:, 1], alpha=green).add(images[:, 2], alpha=blue)
