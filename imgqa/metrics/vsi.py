"""Visual saliency-induced index."""

import torch
from jaxtyping import Float
from torch import Tensor

from imgqa.metrics.color_axes import color_axes
from imgqa.metrics.gradient_magnitude import SCHARR, gradient_magnitude
from imgqa.metrics.image_pair import image_pair
from imgqa.metrics.saliency import saliency
from imgqa.metrics.similarity import real_power, similarity
from imgqa.metrics.viewing_scale import viewing_scale

# The Gaussian colour model: luminance and two opponent axes.
L_AXIS = (0.06, 0.63, 0.27)
M_AXIS = (0.30, 0.04, -0.35)
N_AXIS = (0.34, -0.60, 0.17)
C_SALIENCY, C_GRADIENT, C_COLOR = 1.27, 386.0, 130.0
GRADIENT_EXPONENT, COLOR_EXPONENT = 0.40, 0.02


def vsi(image: Float[Tensor, "b 3 h w"], reference: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
    """VSI: agreement in visual saliency, gradients and colour. 1 for equal images; higher is better.

    Mean of S_saliency * S_gradient^0.4 * Re((S_m S_n)^0.02), weighted by the larger saliency of the two images; a pair
    without any is weighted evenly, where the program has 0 / 0.

    Source: Zhang, Shen, Li, "VSI: a visual saliency-induced index for perceptual image quality assessment", IEEE TIP
    23(10), 2014, and the authors' program VSI.m, for [0, 255] after the reduction of `viewing_scale`. piq differs from
    the program in the saliency map of all sizes but 256 x 256 (see `saliency`), and shifts the blocks of the reduction.

    Args:
        image: values in [0, 1].
        reference: values in [0, 1].

    Raises:
        InputError: below 3 x 3 pixels, no colour, or different shapes.
    """
    image, reference = image_pair("VSI", image, reference, smallest=3)
    salience_x, gradient_x, m_x, n_x = _features(image)
    salience_y, gradient_y, m_y, n_y = _features(reference)
    color = similarity(m_x, m_y, C_COLOR) * similarity(n_x, n_y, C_COLOR)
    agreement = similarity(salience_x, salience_y, C_SALIENCY) * real_power(color, COLOR_EXPONENT)
    agreement = agreement * similarity(gradient_x, gradient_y, C_GRADIENT) ** GRADIENT_EXPONENT
    # The constant only matters where nothing is salient at all.
    weight = torch.maximum(salience_x, salience_y) + 1e-12
    return (agreement * weight).sum(dim=(1, 2)) / weight.sum(dim=(1, 2))


def _features(images: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Saliency, gradient magnitude and the two opponent colours, at the reduced size."""
    planes = (saliency(images), *(255 * plane for plane in color_axes(images, L_AXIS, M_AXIS, N_AXIS)))
    salience, light, m, n = (viewing_scale(plane[:, None])[:, 0] for plane in planes)
    return salience, gradient_magnitude(light, SCHARR), m, n
