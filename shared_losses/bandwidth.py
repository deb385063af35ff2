"""How wide the rank kernel is: a share of the items, a distance in scores, or a number of ranks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from shared_losses.shapes import Number

SMALLEST_WINDOW = 8  # items; see `solve_tau`
_MOST_SPANS = 2048
_BOX_SPREAD = 1 / math.sqrt(3)


@dataclass(frozen=True)
class Scale:
    """Scores as the kernel takes them.

    Attributes:
        coordinates: What the kernel ranks, ascending, shape (N,): the sorted scores, or their midranks.
        tau: Bandwidth in units of the coordinates.
        slope: Rate at which a coordinate moves with its score, shape (N,) float64; None where it is 1.
    """

    coordinates: Tensor
    tau: Tensor | float
    slope: Tensor | None = None


@dataclass(frozen=True)
class Bandwidth:
    """The choice of bandwidth: `nearest` ranks if given, else an absolute `tau` if given, else the share `window`."""

    window: Number | None = 0.1
    tau: Number | None = None
    nearest: int | None = None

    def __post_init__(self) -> None:
        """Raises ValueError unless the values are in range and at most one of `tau` and `nearest` is given."""
        if self.tau is not None and self.nearest is not None:
            raise ValueError(f"tau and nearest exclude each other, got tau={self.tau} and nearest={self.nearest}")
        if self.nearest is not None:
            if self.nearest < 1 or self.nearest != int(self.nearest):
                raise ValueError(f"nearest must be a whole number of ranks, at least 1, got {self.nearest}")
        elif self.tau is not None:
            if not (math.isfinite(self.tau) and 1e-100 <= self.tau <= 1e100):
                raise ValueError(f"tau must be positive and finite (1e-100 to 1e100), got {self.tau}")
        elif self.window is None or not 0 < self.window <= 1:
            raise ValueError(
                f"window must lie in (0, 1] (share of the items under the kernel) when tau is None, got {self.window}"
            )

    def solve(self, ordered: Tensor, spread: float) -> Scale:
        """Solves the bandwidth for sorted scores, not all equal, and a kernel of standard deviation `spread`."""
        if self.nearest is not None:
            return _rank_scale(ordered, self.nearest, spread)
        if self.tau is not None:
            return Scale(ordered, self.tau)
        assert self.window is not None
        return Scale(ordered, solve_tau(ordered, window=self.window, spread=spread))


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
        ordered: Batch and bank scores, ascending, not all equal, shape (N,).
        window: Share of the items, in (0, 1].
        spread: Standard deviation of the kernel at tau = 1. The solved bandwidth is the box's, converted so that
            both kernels have one standard deviation.

    Returns:
        The positive bandwidth, a detached float64 scalar tensor, in units of the scores.
    """
    gaps = ordered.shape[0] - 1
    wanted = max(round(window * (gaps + 1)), SMALLEST_WINDOW)
    held = min(wanted, gaps)
    count = gaps + 1 - held
    begin = torch.arange(0, count, -(-count // _MOST_SPANS), device=ordered.device)
    if begin.shape[0] < count:
        begin = torch.cat([begin, count - 1 - begin])  # from both ends: reversing the scores changes nothing
    spans = ordered[begin + held].double() - ordered[begin].double()
    median = spans.median()
    smallest = torch.where(spans > 0, spans, torch.inf).min()
    span = torch.where(median > 0, median, torch.minimum(smallest, ordered[-1].double() - ordered[0].double()))
    return (span * (wanted / held / 2 * _BOX_SPREAD / spread)).clamp(min=1e-100)


def _rank_scale(ordered: Tensor, nearest: int, spread: float) -> Scale:
    """Midranks in place of scores, with a kernel that covers `nearest` ranks on either side.

    An item's coordinate moves with its score at a fixed rate, set by the distance between its neighbours `nearest`
    ranks below and above (at the ends: the item itself). So the box gradient with the constant normaliser is the
    difference of the hard SROCC with the item moved past those two, over their distance; its signs, and the value, are
    the same for any monotone map of the scores.
    """
    count = ordered.shape[0]
    scores = ordered.double()
    last = torch.searchsorted(ordered, ordered, right=True)
    first = torch.searchsorted(ordered, ordered)
    rank = (first + last - 1).double() / 2  # from 0
    # Midranks differ by multiples of 1/2: none lies on the window's edge, where rounding would decide.
    reach = nearest + 0.25
    # One tie group further where the ties alone fill the window: the neighbours must differ.
    low = torch.minimum(torch.searchsorted(rank, rank - reach), (first - 1).clamp(min=0))
    high = torch.maximum(torch.searchsorted(rank, rank + reach) - 1, last.clamp(max=count - 1))
    return Scale(rank, reach * _BOX_SPREAD / spread, 2 * reach / (scores[high] - scores[low]))
