"""Gradient magnitude of grey images by 3 x 3 kernels."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

# Weights across the direction of the difference.
PREWITT = (1 / 3, 1 / 3, 1 / 3)
SCHARR = (3 / 16, 10 / 16, 3 / 16)


def gradient_magnitude(
    images: Float[Tensor, "*b h w"], smoothing: tuple[float, float, float]
) -> Float[Tensor, "*b h w"]:
    """Length of (horizontal, vertical) differences over two pixels, smoothed across their direction.

    Outside the image lies black, as in MATLAB's `conv2(..., 'same')`, so the border of a bright image counts as an
    edge. Where there is no difference at all the derivative is 0.

    Args:
        images: grey images.
        smoothing: PREWITT or SCHARR.
    """
    side, middle, _ = smoothing
    padded = F.pad(images, (1, 1, 1, 1))
    rows = side * (padded[..., :-2, :] + padded[..., 2:, :]) + middle * padded[..., 1:-1, :]
    columns = side * (padded[..., :-2] + padded[..., 2:]) + middle * padded[..., 1:-1]
    across = rows[..., 2:] - rows[..., :-2]
    down = columns[..., 2:, :] - columns[..., :-2, :]
    # The floor keeps the root's infinite slope at 0 out of the backward pass, where it would meet 0 as NaN.
    return (across.square() + down.square()).clamp_min(1e-30).sqrt()
