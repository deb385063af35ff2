"""Multi-scale structural similarity."""

import torch
from jaxtyping import Float
from torch import Tensor

from imgqa.metrics.image_pair import image_pair
from imgqa.metrics.similarity import real_power
from imgqa.metrics.ssim import WINDOW, ssim_terms
from imgqa.metrics.viewing_scale import box_reduce

# Exponents of the scales, finest first; from the paper's experiment on equal visibility.
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
SMALLEST = (WINDOW - 1) * 2 ** (len(WEIGHTS) - 1) + 1  # the coarsest scale must hold one window


def ms_ssim(image: Float[Tensor, "b c h w"], reference: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
    """MS-SSIM: structural similarity over five octaves. From 0 to 1 for equal images; higher is better.

    Product over the scales of the mean contrast-structure factor, at the coarsest of the mean SSIM, each to the power
    of its weight; between scales the image is halved by 2 x 2 means. A negative mean counts as 0, where the program
    returns a complex number. Colour: the mean over the channels' values.

    Source: Wang, Simoncelli, Bovik, "Multi-scale structural similarity for image quality assessment", Asilomar 2003,
    and the program msssim.m, which takes grey images (see `ssim`) and mirrors an odd last row or column as done here;
    piq pads in front, and both axes if either is odd.

    Args:
        image: values in [0, 1].
        reference: values in [0, 1].

    Raises:
        InputError: below 161 x 161 pixels, or different shapes.
    """
    x, y = image_pair("MS-SSIM", image, reference, smallest=SMALLEST, color=False)
    factors = []
    for scale in range(len(WEIGHTS)):
        if scale > 0:
            x, y = box_reduce(x, 2, mirror=True), box_reduce(y, 2, mirror=True)
        full, structure = ssim_terms(x, y)
        factors.append(full if scale == len(WEIGHTS) - 1 else structure)
    powers = [real_power(factor.relu(), weight) for factor, weight in zip(factors, WEIGHTS, strict=True)]
    return torch.stack(powers).prod(dim=0).mean(dim=1)
