"""Kernels that are smooth and reach everywhere: logistic and normal."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from shared_losses.kernels.cells import CellSums
from shared_losses.kernels.rank_kernel import RankKernel, in_chunks
from shared_losses.kernels.windows import cut_positions


class _SmoothKernel(RankKernel):
    """Sums over all items: pairwise for few rows, else by `CellSums`, equal to about 1e-11.

    Attributes:
        reach: Distance beyond which K is 0 or 1 to the last digit.
    """

    reach: ClassVar[float]
    pairwise_rows: ClassVar[int] = 512  # where both ways take the same time
    chunk_elements: ClassVar[int] = 2**17

    def __init__(self, ordered: Tensor, tau: Tensor | float) -> None:
        self.tau = tau
        self.position = cut_positions(ordered, tau, reach=self.reach)
        self.cells = CellSums(self.position, self.reach) if ordered.shape[0] > self.pairwise_rows else None

    @staticmethod
    @abstractmethod
    def half(u: Tensor) -> Tensor: ...

    def centred_ranks(self) -> Tensor:
        if self.cells is not None:
            return self.cells.sums(self.half, torch.ones_like(self.position)[:, None])[:, 0]
        return self._pairwise(lambda u, _: self.half(u).sum(1), None)

    def pull_back(self, upstream: Tensor, at: Tensor | None = None) -> Tensor:
        if self.cells is not None:
            charges = torch.stack([torch.ones_like(upstream), upstream], dim=1)
            total, weighted = self.cells.sums(self.density, charges, at).unbind(1)
            own = upstream if at is None else upstream.index_select(0, at)
            return (own * total).sub_(weighted).div_(self.tau)
        # The difference is taken before the sum, so that nothing cancels.
        product = self._pairwise(lambda u, rows: self.density(u).mul_(upstream[rows][:, None] - upstream).sum(1), at)
        return product.div_(self.tau)

    def _pairwise(self, total: Callable[[Tensor, Tensor | slice], Tensor], at: Tensor | None) -> Tensor:
        return in_chunks(
            lambda rows: total(self.position[rows][:, None] - self.position, rows),
            self.position,
            at,
            max(1, self.chunk_elements // self.position.shape[0]),
        )


class LogisticKernel(_SmoothKernel):
    """K(u) = 1 / (1 + exp(-u)), the usual pairwise sigmoid.

    With the constant normaliser it gives the expected SROCC under Gumbel noise of scale tau on every score.
    """

    spread: ClassVar[float] = math.pi / math.sqrt(3)
    reach: ClassVar[float] = 40.0

    @staticmethod
    def half(u: Tensor) -> Tensor:
        return torch.tanh(u / 2) / 2

    @staticmethod
    def density(u: Tensor) -> Tensor:
        tail = torch.sigmoid(-u.abs())  # no overflow, no cancellation
        return tail * (1 - tail)


class NormalKernel(_SmoothKernel):
    """K(u) = Phi(u), the error-function rank of GMC-IQA at a bandwidth of choice.

    With the constant normaliser it gives the expected SROCC under normal noise of standard deviation tau / sqrt(2).
    """

    spread: ClassVar[float] = 1.0
    reach: ClassVar[float] = 9.0

    @staticmethod
    def half(u: Tensor) -> Tensor:
        return torch.erf(u / math.sqrt(2)) / 2

    @staticmethod
    def density(u: Tensor) -> Tensor:
        return torch.exp(-u * u / 2) / math.sqrt(2 * math.pi)
