"""The soft rank operator and its vector-Jacobian product, for each kernel.

For sorted scores x_0 <= ... <= x_{N-1}, a CDF-shaped kernel K with K(u) + K(-u) = 1 and density k = K':

    r_i = 1/2 + sum_j K((x_i - x_j) / tau)                          soft rank; the midrank as tau -> 0
    (J^T v)_i = (1 / tau) sum_m (v_i - v_m) k((x_i - x_m) / tau)    gradient of sum_i v_i r_i

Box and triangle have a finite reach: one sort, prefix sums and the ends of each item's window give all N ranks or
gradients in O(N log N) time and O(N) memory, exactly. The logistic kernel reaches everywhere; it is summed densely, in
chunks of bounded memory, in O(N) time a row.

Each class is built from the sorted scores and tau, and works in sorted order throughout.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar, Protocol

import torch
from torch import Tensor


class RankKernel(Protocol):
    """What a kernel offers to the losses.

    Attributes:
        spread: Standard deviation of the density k at tau = 1, by which bandwidths are converted between kernels.
    """

    spread: ClassVar[float]

    def __init__(self, ordered: Tensor, tau: Tensor | float) -> None:
        """Args: ordered: scores, ascending, float64, shape (N,). tau: bandwidth in units of the scores, positive."""
        ...

    def centred_ranks(self) -> Tensor:
        """Soft ranks less (N + 1) / 2, float64, shape (N,). They sum to zero."""
        ...

    def pull_back(self, upstream: Tensor, at: Tensor | None = None) -> Tensor:
        """Vector-Jacobian product for `upstream` (N,), at the sorted positions `at` (Q,), or at all N."""
        ...


class BoxKernel:
    """K(u) = clip((1 + u) / 2, 0, 1).

    Its gradient is the central difference of the hard rank: each item is moved alone by +tau and by -tau.
    """

    spread: ClassVar[float] = 1 / math.sqrt(3)

    def __init__(self, ordered: Tensor, tau: Tensor | float) -> None:
        self.tau = tau
        self.position = _positions(ordered, tau)
        self.first, self.last = _windows(self.position)

    def centred_ranks(self) -> Tensor:
        first, last = self.first, self.last
        ranks = (last - first) * self.position
        ranks -= _sums(_prefix(self.position), first, last)
        # Kept apart from the sum above: at a huge tau the ranks differ by much less than one.
        ranks += first + last - ranks.shape[0]
        return ranks.mul_(0.5)

    def pull_back(self, upstream: Tensor, at: Tensor | None = None) -> Tensor:
        first, last, own = _take(at, self.first, self.last, upstream)
        product = (last - first) * own
        product -= _sums(_prefix(upstream), first, last)
        return product.mul_(0.5 / self.tau)


class TriangleKernel:
    """K(u) = (1 + u)^2 / 2 for u in [-1, 0], 1 - (1 - u)^2 / 2 for u in [0, 1]: once differentiable everywhere."""

    spread: ClassVar[float] = 1 / math.sqrt(6)

    def __init__(self, ordered: Tensor, tau: Tensor | float) -> None:
        self.tau = tau
        self.position = _positions(ordered, tau)
        self.first, self.last = _windows(self.position)
        self.middle = torch.arange(ordered.shape[0], device=ordered.device)

    def centred_ranks(self) -> Tensor:
        x, first, middle, last = self.position, self.first, self.middle, self.last
        linear, square = _prefix(x), _prefix(x * x)
        # sum of u over the window, then the curvature: sum of u^2 / 2 above less the same below.
        ranks = (last - first) * x - _sums(linear, first, last)
        for begin, end, half in ((first, middle, -0.5), (middle, last, 0.5)):
            squares = (end - begin) * x * x - 2 * x * _sums(linear, begin, end) + _sums(square, begin, end)
            ranks += squares.mul_(half)
        return ranks.add_((first + last - x.shape[0]) / 2)

    def pull_back(self, upstream: Tensor, at: Tensor | None = None) -> Tensor:
        weight, weighted = _prefix(upstream), _prefix(upstream * self.position)
        linear = _prefix(self.position)
        first, middle, last, x, own = _take(at, self.first, self.middle, self.last, self.position, upstream)
        below, above = 1 - x, 1 + x  # the density is (1 - x_i) + x_m below the item, (1 + x_i) - x_m above it
        product = own * ((middle - first) * below + (last - middle) * above)
        product += own * (_sums(linear, first, middle) - _sums(linear, middle, last))
        product -= below * _sums(weight, first, middle) + above * _sums(weight, middle, last)
        product -= _sums(weighted, first, middle) - _sums(weighted, middle, last)
        return product.div_(self.tau)


class LogisticKernel:
    """K(u) = 1 / (1 + exp(-u)), the usual pairwise sigmoid. All N ranks take O(N^2) time, in bounded memory."""

    spread: ClassVar[float] = math.pi / math.sqrt(3)
    chunk_elements: ClassVar[int] = 2**20  # 8 MiB a buffer, three buffers at most

    def __init__(self, ordered: Tensor, tau: Tensor | float) -> None:
        self.tau = tau
        self.position = (ordered - ordered[ordered.shape[0] // 2]) / tau

    def centred_ranks(self) -> Tensor:
        # sigmoid(u) - 1/2 = tanh(u / 2) / 2, exact for tiny u as well.
        parts = [difference.mul_(0.5).tanh_().sum(1) for difference in self._differences(self.position)]
        return torch.cat(parts).mul_(0.5)

    def pull_back(self, upstream: Tensor, at: Tensor | None = None) -> Tensor:
        rows, own = _take(at, self.position, upstream)
        totals, weighted = [], []
        for difference in self._differences(rows):
            tail = difference.abs_().neg_().sigmoid_()  # no overflow, no cancellation
            density = tail.mul_(1 - tail)
            totals.append(density.sum(1))
            weighted.append(density @ upstream)
        return (own * torch.cat(totals) - torch.cat(weighted)) / self.tau

    def _differences(self, rows: Tensor) -> Iterator[Tensor]:
        for chunk in rows.split(max(1, self.chunk_elements // self.position.shape[0])):
            yield chunk[:, None] - self.position


KERNELS: dict[str, type[RankKernel]] = {"box": BoxKernel, "triangle": TriangleKernel, "logistic": LogisticKernel}


def _positions(ordered: Tensor, tau: Tensor | float) -> Tensor:
    """Scores in units of tau with every gap cut to at most 2, centred.

    Items further apart than tau do not see each other, however far: cutting the gaps changes no rank and no gradient,
    and keeps the prefix sums small (at most 2 N) whatever the outliers and however small tau.
    """
    position = torch.zeros_like(ordered)
    torch.cumsum((ordered[1:] - ordered[:-1]).div_(tau).clamp_(max=2), 0, out=position[1:])
    return position.sub_(position.mean())


def _windows(position: Tensor) -> tuple[Tensor, Tensor]:
    """Ends [first, last) of the items within one unit of each item, sorted order."""
    first = torch.searchsorted(position, position - 1)
    # i lies in j's window exactly if j lies in i's: so last_i counts the j with first_j <= i, with no second search.
    return first, torch.bincount(first, minlength=position.shape[0]).cumsum_(0)


def _prefix(values: Tensor) -> Tensor:
    sums = values.new_zeros(values.shape[0] + 1)
    torch.cumsum(values, 0, out=sums[1:])
    return sums


def _sums(prefix: Tensor, begin: Tensor, end: Tensor) -> Tensor:
    return prefix.index_select(0, end).sub_(prefix.index_select(0, begin))


def _take(at: Tensor | None, *columns: Tensor) -> tuple[Tensor, ...]:
    return columns if at is None else tuple(column.index_select(0, at) for column in columns)
