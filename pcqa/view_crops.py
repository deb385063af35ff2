"""Square windows of views, placed where the cloud is."""

import numpy as np
import torch
from jaxtyping import UInt8


def crop_views(
    views: UInt8[np.ndarray, "v h w c"],
    masks: UInt8[np.ndarray, "v h w"],
    *,
    size: int,
    generator: torch.Generator | None,
) -> tuple[UInt8[np.ndarray, "v s s c"], UInt8[np.ndarray, "v s s"]]:
    """Cuts one window out of each view.

    Along each axis it lies within the extent of the mask, or covers that extent where the window is longer, as far as
    the view goes. In a view that shows nothing it lies anywhere.

    Args:
        views: may be memory maps; only the windows are read.
        masks: not 0 where the cloud is.
        size: side of the window, at most that of the views.
        generator: draws the places; None takes the middle of those possible.

    Returns:
        Copies of the windows of views and masks.
    """
    chosen = views[:, :size, :size].copy(), masks[:, :size, :size].copy()
    for number, mask in enumerate(masks):
        top = _start(mask.any(axis=1), size, generator)
        left = _start(mask.any(axis=0), size, generator)
        for whole, window in zip((views, masks), chosen, strict=True):
            window[number] = whole[number, top : top + size, left : left + size]
    return chosen


def _start(occupied: np.ndarray, size: int, generator: torch.Generator | None) -> int:
    """Where a window along one axis begins."""
    filled = np.flatnonzero(occupied)
    low, high = (int(filled[0]), int(filled[-1]) + 1 - size) if len(filled) else (0, len(occupied) - size)
    low, high = (min(max(place, 0), len(occupied) - size) for place in sorted((low, high)))
    if generator is None:
        return (low + high) // 2
    return low + int(torch.randint(high - low + 1, (), generator=generator))
