"""The triangle kernel: once differentiable everywhere."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from shared_losses.kernels.rank_kernel import RankKernel, in_chunks
from shared_losses.kernels.windows import cut_positions, prefix_sums, sums_between, windows


class TriangleKernel(RankKernel):
    """K(u) = (1 + u)^2 / 2 for u in [-1, 0], 1 - (1 - u)^2 / 2 for u in [0, 1]; O(N log N) time, O(N) memory.

    With the constant normaliser it gives the expected SROCC under uniform noise of width tau on every score.
    """

    spread: ClassVar[float] = 1 / math.sqrt(6)

    def __init__(self, ordered: Tensor, tau: Tensor | float) -> None:
        self.tau = tau
        self.position = cut_positions(ordered, tau, reach=2.0)
        self.first, self.last = windows(self.position)

    @staticmethod
    def half(u: Tensor) -> Tensor:
        return torch.where(u.abs() < 1, u - u * u.abs() / 2, u.sign() / 2)

    @staticmethod
    def density(u: Tensor) -> Tensor:
        return (1 - u.abs()).clamp(min=0)

    def centred_ranks(self) -> Tensor:
        linear, square = prefix_sums(self.position), prefix_sums(self.position.square())

        def ranks(rows: Tensor | slice) -> Tensor:
            x, first, middle, last = self.position[rows], self.first[rows], self._middle(rows), self.last[rows]
            # sum of u over the window, then the curvature: sum of u^2 / 2 above less the same below.
            window = (last - first) * x - sums_between(linear, first, last)
            for begin, end, sign in ((first, middle, -0.5), (middle, last, 0.5)):
                squares = (end - begin) * x * x - 2 * x * sums_between(linear, begin, end)
                window += squares.add_(sums_between(square, begin, end)).mul_(sign)
            return window.add_((first + last - self.position.shape[0]) / 2)

        return in_chunks(ranks, self.position)

    def pull_back(self, upstream: Tensor, at: Tensor | None = None) -> Tensor:
        linear, weight = prefix_sums(self.position), prefix_sums(upstream)
        weighted = prefix_sums(upstream * self.position)

        def product(rows: Tensor | slice) -> Tensor:
            x, first, middle, last = self.position[rows], self.first[rows], self._middle(rows), self.last[rows]
            below, above = 1 - x, 1 + x  # the density is (1 - x_i) + x_m below the item, (1 + x_i) - x_m above it
            total = (middle - first) * below + (last - middle) * above
            total += sums_between(linear, first, middle) - sums_between(linear, middle, last)
            moved = below * sums_between(weight, first, middle) + above * sums_between(weight, middle, last)
            moved += sums_between(weighted, first, middle) - sums_between(weighted, middle, last)
            return (upstream[rows] * total - moved).div_(self.tau)

        return in_chunks(product, upstream, at)

    def _middle(self, rows: Tensor | slice) -> Tensor:
        if isinstance(rows, Tensor):
            return rows
        return torch.arange(rows.start, rows.stop, device=self.position.device)
