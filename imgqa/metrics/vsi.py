"""Visual saliency-induced index."""

import torch
from jaxtyping import Float
from torch import Tensor

from imgqa.metrics.color_axes import color_axis
from imgqa.metrics.gradient_magnitude import SCHARR, gradient_magnitude
from imgqa.metrics.image_pair import image_pair
from imgqa.metrics.saliency import saliency
from imgqa.metrics.similarity import pair_similarity, real_power
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
    both = torch.cat([image, reference])
    salience = viewing_scale(saliency(both)[:, None])[:, 0]
    light, m, n = (255 * viewing_scale(color_axis(both, axis)[:, None])[:, 0] for axis in (L_AXIS, M_AXIS, N_AXIS))
    color = pair_similarity(m, C_COLOR) * pair_similarity(n, C_COLOR)
    gradients = pair_similarity(gradient_magnitude(light, SCHARR), C_GRADIENT)
    agreement = pair_similarity(salience, C_SALIENCY) * gradients**GRADIENT_EXPONENT
    # The constant only matters where nothing is salient at all.
    weight = torch.maximum(*salience.chunk(2)) + 1e-12
    return (agreement * real_power(color, COLOR_EXPONENT) * weight).sum(dim=(1, 2)) / weight.sum(dim=(1, 2))
