"""The Laplace kernel: infinite reach, still summed exactly in sorted order."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from shared_losses.kernels.rank_kernel import RankKernel
from shared_losses.kernels.windows import gaps


class LaplaceKernel(RankKernel):
    """K(u) = exp(u) / 2 for u < 0, 1 - exp(-u) / 2 for u >= 0; O(N log N) time, O(N) memory.

    With the constant normaliser it gives the expected SROCC under exponential noise of scale tau on every score.

    The sums over the items below are first-order recurrences along the sorted gaps d_i, with a_i = exp(-d_i) <= 1 and
    every term positive, so nothing overflows, cancels or is lost to an outlier; those above mirror them:

        weight_i = sum_{j<i} exp(-(x_i - x_j)) = a_i (1 + weight_{i-1})
        lack_i   = sum_{j<i} (1 - exp(-(x_i - x_j))) = a_i lack_{i-1} + (1 - a_i) i
        moved_i  = sum_{j<i} (v_i - v_j) exp(-(x_i - x_j)) = a_i (moved_{i-1} + (v_i - v_{i-1}) (1 + weight_{i-1}))
    """

    spread: ClassVar[float] = math.sqrt(2)

    def __init__(self, ordered: Tensor, tau: Tensor | float) -> None:
        self.tau = tau
        self.gap = gaps(ordered, tau)

    @staticmethod
    def half(u: Tensor) -> Tensor:
        return torch.expm1(-u.abs()).mul(-0.5) * u.sign()

    @staticmethod
    def density(u: Tensor) -> Tensor:
        return torch.exp(-u.abs()) / 2

    def centred_ranks(self) -> Tensor:
        ranks = self._lack(self.gap)
        return ranks.sub_(self._lack(self.gap.flip(0)).flip(0)).mul_(0.5)

    def pull_back(self, upstream: Tensor, at: Tensor | None = None) -> Tensor:
        product = self._moved(self.gap, upstream)
        product += self._moved(self.gap.flip(0), upstream.flip(0)).flip(0)
        product *= 0.5 / self.tau
        return product if at is None else product.index_select(0, at)

    @staticmethod
    def _lack(gap: Tensor) -> Tensor:
        below = torch.arange(1, gap.shape[0] + 1, dtype=gap.dtype, device=gap.device)
        return _recur(torch.exp(-gap), below.mul_(torch.expm1(-gap).neg_()))

    @staticmethod
    def _moved(gap: Tensor, upstream: Tensor) -> Tensor:
        factor = torch.exp(-gap)
        weight = _recur(factor, factor)[:-1]
        return _recur(factor, weight.add_(1).mul_(factor).mul_(upstream[1:] - upstream[:-1]))


def _recur(factor: Tensor, added: Tensor) -> Tensor:
    """Solves y_0 = 0, y_i = factor_i y_{i-1} + added_i, shapes (N - 1,) to (N,), in log N vectorised passes."""
    solved = added.new_zeros(added.shape[0] + 1)
    _scan(factor, added, solved[1:])
    return solved


def _scan(factor: Tensor, added: Tensor, out: Tensor) -> None:
    count = added.shape[0]
    if count == 0:
        return
    # Two steps make one of half as many; the other half follows from those.
    even, odd = factor[::2], factor[1::2]
    _scan(even[: odd.shape[0]] * odd, added[::2][: odd.shape[0]] * odd + added[1::2], out[1::2])
    out[::2] = added[::2]
    out[2::2] += even[1:] * out[1::2][: even.shape[0] - 1]
