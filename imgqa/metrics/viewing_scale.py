"""The reduction to a side of about 256 pixels that comes before many metrics."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def viewing_scale(images: Float[Tensor, "b c h w"], *, mirror: bool = False) -> Float[Tensor, "b c h2 w2"]:
    """Block means at factor max(1, round(shorter side / 256)), which stand for the usual viewing distance.

    Source: the MATLAB programs of SSIM (Wang's suggested usage), FSIM, VSI and MDSI. Halves round up as in MATLAB:
    640 pixels are reduced by 3, where Python's rounding, and with it piq, takes 2.

    Args:
        images: (B, C, H, W).
        mirror: what lies outside the image, see `box_reduce`.
    """
    factor = max(1, math.floor(min(images.shape[2:]) / 256 + 0.5))
    return box_reduce(images, factor, mirror=mirror)


def box_reduce(images: Float[Tensor, "b c h w"], factor: int, *, mirror: bool) -> Float[Tensor, "b c h2 w2"]:
    """Means over factor x factor pixels around every factor-th pixel, beginning with the first.

    This is MATLAB's `conv2(x, ones(f) / f^2, 'same')`, or `imfilter(..., 'symmetric')`, at `(1:f:end, 1:f:end)`. Blocks
    begin (f - 1) // 2 pixels before their pixel, so from f = 3 on the first of them reaches out of the image, and
    `avg_pool2d` alone gives shifted blocks.

    Args:
        images: (B, C, H, W).
        factor: at least 1.
        mirror: outside the image lies its mirror image, edge pixel included (imfilter); otherwise black (conv2).

    Returns:
        (B, C, ceil(H / factor), ceil(W / factor)).
    """
    if factor == 1:
        return images
    rows = _add_blocks(images, 2, factor, mirror=mirror)
    return _add_blocks(rows, 3, factor, mirror=mirror) / factor**2


def _add_blocks(images: Tensor, dim: int, factor: int, *, mirror: bool) -> Tensor:
    size = images.shape[dim]
    count, before = -(-size // factor), (factor - 1) // 2
    after = max(0, count * factor - before - size)
    if mirror:
        padded = _mirror(images, dim, before, after)
    else:
        padded = F.pad(images, (0, 0, before, after) if dim == 2 else (before, after))
    blocks = padded.narrow(dim, 0, count * factor).unflatten(dim, (count, factor))
    # On a CPU several times as fast as avg_pool2d or a sum over the short axis.
    first, *others = blocks.unbind(dim + 1)
    return sum(others, start=first)


def _mirror(images: Tensor, dim: int, before: int, after: int) -> Tensor:
    """Torch's own 'reflect' leaves the edge pixel out."""
    if before == after == 0:
        return images
    size = images.shape[dim]
    first, last = images.narrow(dim, 0, before), images.narrow(dim, size - after, after)
    return torch.cat([first.flip(dim), images, last.flip(dim)], dim)
