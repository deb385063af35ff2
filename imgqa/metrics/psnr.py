"""Peak signal-to-noise ratio."""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from imgqa.decode import decode_image
from rankqa_datasets.errors import InputError
from rankqa_datasets.stimulus import Stimulus


def psnr(image: Float[Tensor, "b c h w"], reference: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
    """PSNR = -10 log10(mean squared difference), the mean taken over all channels and pixels of an image.

    Args:
        image: values in [0, 1].
        reference: values in [0, 1].

    Returns:
        Decibels; +inf, with zero gradient, where an image equals its reference.
    """
    mse = (image - reference).square().mean(dim=(1, 2, 3))
    differs = mse > 0
    # The inner `where` keeps the infinite slope of log(0) out of the backward pass, where 0 * inf would be NaN.
    decibels = -10 * torch.log10(torch.where(differs, mse, 1.0))
    return torch.where(differs, decibels, torch.inf)


def psnr_of_stimulus(stimulus: Stimulus) -> float:
    """PSNR in decibels of an image file to its reference file, on 8-bit RGB; +inf if they are equal.

    Raises:
        InputError: no reference, a file that cannot be decoded, or different sizes.
    """
    if stimulus.reference is None:
        raise InputError(f"{stimulus.id} has no reference: PSNR needs one")
    image, reference = decode_image(stimulus.path), decode_image(stimulus.reference)
    if image.shape != reference.shape:
        raise InputError(
            f"{stimulus.id} has {image.shape[1]} x {image.shape[0]} pixels, its reference "
            f"{reference.shape[1]} x {reference.shape[0]}: PSNR needs equal sizes"
        )
    # Exact in integers, without two float copies of a large photograph.
    error = int(np.square(image.astype(np.int32) - reference).sum(dtype=np.int64))
    return math.inf if error == 0 else 10 * math.log10(255**2 * image.size / error)
