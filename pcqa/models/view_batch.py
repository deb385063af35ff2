"""What the 2D networks read from a batch of projections."""

from jaxtyping import Float
from torch import Tensor


def read_views(batch: dict[str, Tensor], *, count: int | None = None) -> Float[Tensor, "b v 3 h w"]:
    """Check `views` (B, V, 3, H, W) of a batch.

    Args:
        batch: of a reader of projections.
        count: the number of views V that the model needs; None for any.

    Raises:
        ValueError: the batch has none, they have another shape, or they are not as many.
    """
    if "views" not in batch:
        raise ValueError(f"a network on projections needs views in the batch, got {', '.join(batch)}")
    views = batch["views"]
    if views.dim() != 5 or views.shape[2] != 3:
        raise ValueError(f"views must be (B, V, 3, H, W), got {tuple(views.shape)}")
    if count is not None and views.shape[1] != count:
        raise ValueError(
            f"this model reads {count} views of a cloud, got {views.shape[1]}: set input.views.views to a list of "
            f"{count}, such as 'axis' for 6"
        )
    return views


def read_masks(batch: dict[str, Tensor]) -> Float[Tensor, "b v h w"]:
    """`masks` (B, V, H, W) of a batch, 1 where the cloud is; all ones where the batch brings none."""
    return batch["masks"] if "masks" in batch else batch["views"].new_ones(batch["views"][:, :, 0].shape)
