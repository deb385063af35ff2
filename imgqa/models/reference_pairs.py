"""Crops beside the same places of their pristine reference, for full-reference models."""

import torch
from jaxtyping import Float
from torch import Tensor

from rankqa_datasets.errors import InputError


def reference_pairs(batch: dict[str, Tensor]) -> Float[Tensor, "b k 6 h w"]:
    """Join `references` and `images` (B, K, 3, H, W) along the channels, the reference first.

    Raises:
        InputError: the batch has no references, or of another shape.
    """
    images, references = batch["images"], batch.get("references")
    if references is None:
        raise InputError(
            "this model is full-reference, but the images came without references: give the manifest a column "
            "`reference` with the file of each image's pristine version"
        )
    if references.shape != images.shape:
        raise InputError(
            f"references must have the shape of images, {tuple(images.shape)}, got {tuple(references.shape)}: crop "
            "both at the same places"
        )
    return torch.cat([references, images], dim=2)
