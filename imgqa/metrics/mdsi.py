"""Mean deviation similarity index."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from imgqa.metrics.color_axes import color_axes
from imgqa.metrics.gradient_magnitude import PREWITT, gradient_magnitude
from imgqa.metrics.image_pair import image_pair
from imgqa.metrics.similarity import similarity
from imgqa.metrics.viewing_scale import viewing_scale

# Luminance as `rgb2gray` has it, and the two opponent axes of the Gaussian colour model.
L_AXIS = (0.2989, 0.587, 0.114)
H_AXIS = (0.30, 0.04, -0.35)
M_AXIS = (0.34, -0.60, 0.17)
C1, C2, C3 = 140.0, 55.0, 550.0
GRADIENT_SHARE = 0.6


def mdsi(image: Float[Tensor, "b 3 h w"], reference: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
    """MDSI: how unevenly gradients and colours are kept. A distance: 0 for equal images, mostly below 0.7.

    With GCS = 0.6 gradient similarity + 0.4 colour similarity at each place, the fourth root of the mean absolute
    deviation of GCS^(1/4) from its mean. GCS may be negative; its root is then complex, as in MATLAB.

    Source: Nafchi, Shahkolaei, Hedjam, Cheriet, "Mean deviation similarity index: efficient and reliable full-reference
    image quality evaluator", IEEE Access 4, 2016, and the authors' program MDSI.m (the sum, its default), for [0, 255]
    after the reduction of `viewing_scale`.

    Args:
        image: values in [0, 1].
        reference: values in [0, 1].

    Raises:
        InputError: below 3 x 3 pixels, no colour, or different shapes.
    """
    image, reference = image_pair("MDSI", image, reference, smallest=3)
    (lx, hx, mx), (ly, hy, my) = (
        [255 * viewing_scale(plane[:, None])[:, 0] for plane in color_axes(images, L_AXIS, H_AXIS, M_AXIS)]
        for images in (image, reference)
    )
    gradient_x, gradient_y, gradient_mean = (gradient_magnitude(plane, PREWITT) for plane in (lx, ly, (lx + ly) / 2))
    gradients = (
        similarity(gradient_x, gradient_y, C1)
        + similarity(gradient_x, gradient_mean, C2)
        - similarity(gradient_y, gradient_mean, C2)
    )
    # (2 (hx hy + mx my) + C3) / (hx^2 + hy^2 + mx^2 + my^2 + C3), exactly 1 for equal images.
    distance = (hx - hy).square() + (mx - my).square()
    colors = 1 - distance / (hx.square() + hy.square() + mx.square() + my.square() + C3)
    # As a difference from 1: equal images then deviate by nothing, not by rounding, whose fourth root would be seen.
    lost = GRADIENT_SHARE * (1 - gradients) + (1 - GRADIENT_SHARE) * (1 - colors)
    return _fourth_root(_mean_deviation_of_roots(1 - lost))


def _mean_deviation_of_roots(values: Float[Tensor, "b h w"]) -> Float[Tensor, " b"]:
    """Mean of |z - mean(z)| for the principal fourth roots z of real numbers."""
    length = _fourth_root(values.abs())
    # The root of a negative number points to 45 degrees.
    diagonal = math.sqrt(0.5) * length
    real, imaginary = torch.where(values < 0, diagonal, length), torch.where(values < 0, diagonal, 0.0)
    squared_x, squared_y = ((part - part.mean(dim=(1, 2), keepdim=True)).square() for part in (real, imaginary))
    distance = squared_x + squared_y
    # A deviation of 0 has a corner, where the slope counts as 0.
    moves = distance > 0
    return (torch.where(moves, distance, 1.0).sqrt() * moves).mean(dim=(1, 2))


def _fourth_root(values: Tensor) -> Tensor:
    """Of numbers from 0 on; at 0 the slope, which is infinite, counts as 0."""
    zero = values == 0
    return torch.where(zero, 0.0, torch.where(zero, 1.0, values) ** 0.25)
