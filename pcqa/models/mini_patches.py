"""Grid mini-patches: small squares of all views of a cloud, side by side in one image."""

import torch
from jaxtyping import Float
from torch import Tensor


def mini_patch_map(
    views: Float[Tensor, "b v c h w"],
    masks: Float[Tensor, "b v h w"],
    *,
    patch: int = 32,
    grid: int = 7,
    covered: float = 0.1,
    random: bool,
) -> Float[Tensor, "b c s s"]:
    """Puts `grid` x `grid` squares of `patch` pixels, at full resolution, from all views into one image, view by view.

    Each view is divided into squares from its middle outwards; those that the cloud covers to a share of at least
    `covered` count. Every view gives equally many, the last ones one more where the number does not divide evenly
    (8 of five views and 9 of the sixth for 7 x 7).

    Args:
        views: colours in [0, 1].
        masks: 1 where the cloud is.
        patch: side of a square in pixels.
        grid: squares in a row of the image, and rows.
        covered: in [0, 1].
        random: draws squares without replacement, from torch's generator; else they are evenly spread over those that
            count, row by row, the same each time. Views with too few of them repeat them, and those without any give
            the one that is covered most.

    Returns:
        (B, C, grid * patch, grid * patch).

    Raises:
        ValueError: views smaller than a square, or more views than squares.
    """
    b, v, _, height, width = views.shape
    rows, columns = height // patch, width // patch
    if min(rows, columns) < 1 or v > grid**2:
        raise ValueError(
            f"mini-patches of {patch} pixels in a grid of {grid} x {grid} need views of at least that size and at most "
            f"{grid**2} of them, got {v} views of {height} x {width} pixels"
        )
    cells = _cells(views, patch)  # b, v, c, rows, patch, columns, patch
    coverage = _cells(masks, patch).mean(dim=(3, 5)).flatten(2)
    counts = coverage >= covered
    raster = torch.arange(rows * columns, device=views.device) / (rows * columns)
    place = torch.rand(coverage.shape, device=views.device) if random else raster.expand_as(coverage)
    # Those that count first, in their order; then the others by how much is covered.
    order = torch.where(counts, place, 2 - coverage).argsort(dim=2, stable=True)

    slot = torch.arange(grid**2, device=views.device)
    share = grid**2 // v + (torch.arange(v, device=views.device) >= v - grid**2 % v).long()
    view = torch.repeat_interleave(share)
    nth = slot - (share.cumsum(0) - share)[view]
    # In exact integers: floor((nth + 1/2) / share * count).
    pick = (2 * nth + 1) * counts.sum(dim=2).clamp_min(1)[:, view] // (2 * share[view])
    chosen = order[:, view].gather(2, pick[..., None]).squeeze(2)

    clouds = torch.arange(b, device=views.device)[:, None]
    squares = cells[clouds, view, :, chosen // columns, :, chosen % columns]  # b, slots, c, patch, patch
    return squares.unflatten(1, (grid, grid)).permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)


def _cells(maps: Tensor, patch: int) -> Tensor:
    """(..., H, W) -> (..., rows, patch, columns, patch), leaving out equal margins."""
    height, width = maps.shape[-2:]
    rows, columns = height // patch, width // patch
    top, left = (height - rows * patch) // 2, (width - columns * patch) // 2
    inner = maps[..., top : top + rows * patch, left : left + columns * patch]
    return inner.unflatten(-1, (columns, patch)).unflatten(-3, (rows, patch))
