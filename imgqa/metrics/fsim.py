"""Feature similarity."""

import torch
from jaxtyping import Float
from torch import Tensor

from imgqa.metrics.color_axes import LUMA, color_axes
from imgqa.metrics.gradient_magnitude import SCHARR, gradient_magnitude
from imgqa.metrics.image_pair import image_pair
from imgqa.metrics.phase_congruency import phase_congruency
from imgqa.metrics.similarity import real_power, similarity
from imgqa.metrics.viewing_scale import viewing_scale

# The other two axes of YIQ, to the digits of the program.
I_AXIS = (0.596, -0.274, -0.322)
Q_AXIS = (0.211, -0.523, 0.312)
T_PHASE, T_GRADIENT, T_COLOR = 0.85, 160.0, 200.0
COLOR_EXPONENT = 0.03
SMALLEST = 3


def fsim(image: Float[Tensor, "b 3 h w"], reference: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
    """FSIM: agreement of luma in phase congruency and gradient magnitude. 1 for equal images; higher is better.

    Mean of the two similarities' product, weighted by the larger phase congruency of the two images; a pair without any
    is weighted evenly, where the program has 0 / 0.

    Source: Zhang, Zhang, Mou, Zhang, "FSIM: a feature similarity index for image quality assessment", IEEE TIP 20(8),
    2011, and the authors' program FeatureSIM.m, for [0, 255] after the reduction of `viewing_scale`.

    Args:
        image: values in [0, 1].
        reference: values in [0, 1].

    Raises:
        InputError: below 3 x 3 pixels, no colour, or different shapes.
    """
    return _feature_similarity("FSIM", image, reference, chromatic=False)


def fsimc(image: Float[Tensor, "b 3 h w"], reference: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
    """FSIMc: FSIM with the agreement of the colour axes I and Q. 1 for equal images; higher is better.

    The similarity at each place is multiplied by the real part of (S_I S_Q)^0.03. Source and arguments: see `fsim`.

    Raises:
        InputError: as `fsim`.
    """
    return _feature_similarity("FSIMc", image, reference, chromatic=True)


def _feature_similarity(metric: str, image: Tensor, reference: Tensor, *, chromatic: bool) -> Float[Tensor, " b"]:
    image, reference = image_pair(metric, image, reference, smallest=SMALLEST)
    axes = (LUMA, I_AXIS, Q_AXIS) if chromatic else (LUMA,)
    phase_x, gradient_x, *colors_x = _features(image, axes)
    phase_y, gradient_y, *colors_y = _features(reference, axes)
    agreement = similarity(phase_x, phase_y, T_PHASE) * similarity(gradient_x, gradient_y, T_GRADIENT)
    if chromatic:
        s_i, s_q = (similarity(x, y, T_COLOR) for x, y in zip(colors_x, colors_y, strict=True))
        agreement = agreement * real_power(s_i * s_q, COLOR_EXPONENT)
    # The constant only matters where there are no features at all.
    weight = torch.maximum(phase_x, phase_y) + 1e-12
    return (agreement * weight).sum(dim=(1, 2)) / weight.sum(dim=(1, 2))


def _features(images: Tensor, axes: tuple[tuple[float, float, float], ...]) -> list[Tensor]:
    """Phase congruency and gradient magnitude of the first colour axis, and the other axes; in [0, 255], reduced."""
    light, *colors = (255 * viewing_scale(plane[:, None])[:, 0] for plane in color_axes(images, *axes))
    return [phase_congruency(light), gradient_magnitude(light, SCHARR), *colors]
