"""The box kernel: the central difference of the hard rank."""

from __future__ import annotations

import math
from typing import ClassVar

from torch import Tensor

from shared_losses.kernels.rank_kernel import RankKernel, in_chunks
from shared_losses.kernels.windows import cut_positions, prefix_sums, sums_between, windows


class BoxKernel(RankKernel):
    """K(u) = clip((1 + u) / 2, 0, 1), in O(N log N) time and O(N) memory.

    Its gradient is the central difference of the hard rank: each item is moved alone by +tau and by -tau.
    """

    spread: ClassVar[float] = 1 / math.sqrt(3)

    def __init__(self, ordered: Tensor, tau: Tensor | float) -> None:
        self.tau = tau
        self.position = cut_positions(ordered, tau, reach=2.0)
        self.first, self.last = windows(self.position)

    @staticmethod
    def half(u: Tensor) -> Tensor:
        return (u / 2).clamp(-0.5, 0.5)

    @staticmethod
    def density(u: Tensor) -> Tensor:
        return (u.abs() <= 1).to(u.dtype) / 2

    def centred_ranks(self) -> Tensor:
        prefix = prefix_sums(self.position)

        def ranks(rows: Tensor | slice) -> Tensor:
            first, last = self.first[rows], self.last[rows]
            window = (last - first) * self.position[rows] - sums_between(prefix, first, last)
            # Kept apart from the sum above: at a huge tau the ranks differ by much less than one.
            return window.add_((first + last).sub_(self.position.shape[0])).mul_(0.5)

        return in_chunks(ranks, self.position)

    def pull_back(self, upstream: Tensor, at: Tensor | None = None) -> Tensor:
        prefix = prefix_sums(upstream)

        def product(rows: Tensor | slice) -> Tensor:
            first, last = self.first[rows], self.last[rows]
            return ((last - first) * upstream[rows] - sums_between(prefix, first, last)).mul_(0.5 / self.tau)

        return in_chunks(product, upstream, at)
