"""The score of an image is the mean over its crops."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor


def mean_over_crops(score: Callable[[Tensor], Tensor], images: Float[Tensor, "b k c h w"]) -> Float[Tensor, " b"]:
    """Score every crop on its own and average over the crops of an image.

    Args:
        score: maps (B * K, C, H, W) to scores (B * K,).
        images: K crops of each of B images.

    Returns:
        Scores (B,).
    """
    return score(images.flatten(0, 1)).unflatten(0, images.shape[:2]).mean(dim=1)
