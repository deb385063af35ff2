"""How wide the rank kernel is: from a share of the items, or given."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from shared_losses.shapes import Number

SMALLEST_WINDOW = 8  # items; see `solve_tau`
_MOST_SPANS = 2048


def check_bandwidth(window: Number | None, tau: Number | None) -> None:
    """Raises ValueError unless `window` lies in (0, 1] or an absolute `tau` is positive and finite."""
    if tau is not None:
        if not (math.isfinite(tau) and 1e-100 <= tau <= 1e100):
            raise ValueError(f"tau must be positive and finite (1e-100 to 1e100), got {tau}")
    elif window is None or not 0 < window <= 1:
        raise ValueError(
            f"window must lie in (0, 1] (share of the items under the kernel) when tau is None, got {window}"
        )


def solve_tau(ordered: Tensor, *, window: Number, spread: float) -> Tensor:
    """Solves the bandwidth at which the kernel covers a share `window` of the items, for a typical item.

    With m = window * N, a box of half-width tau centred on an item should hold m neighbours; so tau is half the median
    span of m + 1 consecutive sorted scores. The median is what makes it safe for heavy tails: outliers widen a few
    spans only. At N over 2048 the median is taken over evenly spaced spans.

    m is at least 8: a small batch without a bank would otherwise have no neighbours under the kernel and no gradient.
    Where m exceeds the N - 1 gaps there are, the range is extrapolated linearly, so a batch of two to eight scores
    lies wholly in the linear part of the box and the loss acts as PLCC against target ranks. Where over half of the
    spans are zero (heavy ties), the smallest positive span is taken.

    Args:
        ordered: Batch and bank scores, ascending, not all equal, shape (N,), float64.
        window: Share of the items, in (0, 1].
        spread: Standard deviation of the kernel at tau = 1. The solved bandwidth is the box's, converted so that
            both kernels have one standard deviation.

    Returns:
        The positive bandwidth, a detached float64 scalar tensor, in units of the scores.
    """
    gaps = ordered.shape[0] - 1
    wanted = max(round(window * (gaps + 1)), SMALLEST_WINDOW)
    held = min(wanted, gaps)
    spans = ordered[held:] - ordered[:-held]
    step = -(-spans.shape[0] // _MOST_SPANS)
    if step > 1:
        spans = torch.cat([spans[::step], spans.flip(0)[::step]])  # both ends: reversing the scores changes nothing
    median = spans.median()
    smallest = torch.where(spans > 0, spans, torch.inf).min()
    span = torch.where(median > 0, median, torch.minimum(smallest, ordered[-1] - ordered[0]))
    box_spread = 1 / math.sqrt(3)
    return (span * (wanted / held / 2 * box_spread / spread)).clamp(min=1e-100)
