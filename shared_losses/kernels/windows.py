"""Scores as a kernel of finite reach sees them: positions, windows and prefix sums."""

from __future__ import annotations

import torch
from torch import Tensor


def cut_positions(ordered: Tensor, tau: Tensor | float, reach: float) -> Tensor:
    """Sorted scores in units of tau, float64, with every gap cut to at most `reach`, centred.

    Items further apart than a kernel reaches do not see each other, however far: cutting the gaps changes no rank and
    no gradient, and keeps the positions small (at most `reach` N) whatever the outliers and however small tau.
    """
    position = torch.zeros(ordered.shape[0], dtype=torch.float64, device=ordered.device)
    torch.cumsum(gaps(ordered, tau).clamp_(max=reach), 0, out=position[1:])
    return position.sub_(position.mean())


def gaps(ordered: Tensor, tau: Tensor | float) -> Tensor:
    """Differences of neighbours in units of tau, float64, shape (N - 1,)."""
    wide = ordered.double()
    return (wide[1:] - wide[:-1]).div_(tau)


def windows(position: Tensor) -> tuple[Tensor, Tensor]:
    """Ends [first, last) of the items within one unit of each item, int32."""
    first = torch.searchsorted(position, position - 1, out_int32=True)
    # i lies in j's window exactly if j lies in i's: so last_i counts the j with first_j <= i, with no second search.
    return first, torch.bincount(first, minlength=position.shape[0]).cumsum_(0).int()


def prefix_sums(values: Tensor) -> Tensor:
    """Sums of the first 0, 1, ..., N values."""
    sums = values.new_zeros(values.shape[0] + 1)
    torch.cumsum(values, 0, out=sums[1:])
    return sums


def sums_between(prefix: Tensor, begin: Tensor, end: Tensor) -> Tensor:
    """Sums over [begin, end) from prefix sums."""
    return prefix.index_select(0, end).sub_(prefix.index_select(0, begin))
