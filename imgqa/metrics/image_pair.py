"""What every metric asks of its two batches."""

import torch
from jaxtyping import Float
from torch import Tensor

from rankqa_datasets.errors import InputError


def image_pair(
    metric: str,
    image: Tensor,
    reference: Tensor,
    *,
    smallest: int,
    color: bool = True,
) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b c h w"]]:
    """Both batches in at least single precision.

    Args:
        metric: its name, for the message.
        image: what the caller gave.
        reference: what the caller gave.
        smallest: least height and width that the metric is defined for.
        color: whether three channels are needed.

    Raises:
        InputError: integers, different shapes, a channel count that is not 3, or a side below `smallest`.
    """
    for name, tensor in (("image", image), ("reference", reference)):
        if not tensor.is_floating_point():
            raise InputError(f"{metric} expects floats in [0, 1], got a {name} of {tensor.dtype}: divide by 255")
    if image.shape != reference.shape:
        raise InputError(
            f"{metric} expects two batches of equal shape, got an image of {tuple(image.shape)} and a reference of "
            f"{tuple(reference.shape)}"
        )
    if image.dim() != 4 or (color and image.shape[1] != 3):
        raise InputError(
            f"{metric} expects images (B, {3 if color else 'C'}, H, W), got the shape {tuple(image.shape)}"
        )
    height, width = image.shape[2:]
    if min(height, width) < smallest:
        raise InputError(f"{metric} needs at least {smallest} x {smallest} pixels, got {width} x {height}")
    # Squares of 255 and small variances are beyond half precision.
    precise = torch.promote_types(torch.promote_types(image.dtype, reference.dtype), torch.float32)
    return image.to(precise), reference.to(precise)
