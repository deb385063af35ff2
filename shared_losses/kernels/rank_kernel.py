"""What every rank kernel offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

# Rows worked on at a time: buffers that stay in a CPU's cache, few launches on a GPU.
_CHUNK_ROWS = {"cpu": 2**14, "cuda": 2**21}


class RankKernel(ABC):
    """The soft rank operator and its vector-Jacobian product, for one kernel.

    For sorted scores x_0 <= ... <= x_{N-1}, a CDF-shaped kernel K with K(u) + K(-u) = 1 and density k = K':

        r_i = 1/2 + sum_j K((x_i - x_j) / tau)                          soft rank; the midrank as tau -> 0
        (J^T v)_i = (1 / tau) sum_m (v_i - v_m) k((x_i - x_m) / tau)    gradient of sum_i v_i r_i

    An instance holds what both need, and works in sorted order throughout.

    Args:
        ordered: Scores, ascending, shape (N,); any floating dtype, computed in float64.
        tau: Bandwidth in units of the scores, positive.

    Attributes:
        spread: Standard deviation of the density k at tau = 1, by which bandwidths are converted between kernels.
    """

    spread: ClassVar[float]

    @abstractmethod
    def __init__(self, ordered: Tensor, tau: Tensor | float) -> None: ...

    @staticmethod
    @abstractmethod
    def half(u: Tensor) -> Tensor:
        """K(u) - 1/2. The half is left out so that tiny u are not rounded away."""

    @staticmethod
    @abstractmethod
    def density(u: Tensor) -> Tensor:
        """k(u)."""

    @abstractmethod
    def centred_ranks(self) -> Tensor:
        """Soft ranks less (N + 1) / 2, float64, shape (N,). They sum to zero."""

    @abstractmethod
    def pull_back(self, upstream: Tensor, at: Tensor | None = None) -> Tensor:
        """Vector-Jacobian product for `upstream` (N,), at the sorted positions `at` (Q,), or at all N."""


def in_chunks(
    compute: Callable[[Tensor | slice], Tensor], like: Tensor, at: Tensor | None = None, rows: int | None = None
) -> Tensor:
    """Computes a column for the rows `at`, or for all rows of `like`, in chunks of bounded memory.

    Args:
        compute: Gives the values of some rows, which it gets as a slice or as positions.
        like: What the column resembles in length, type and device.
        at: Positions of the rows; all if None.
        rows: Length of a chunk.
    """
    count = like.shape[0] if at is None else at.shape[0]
    # An eighth at most, so that the buffers are a small part of the memory at any length.
    step = rows or min(_CHUNK_ROWS.get(like.device.type, 2**14), max(1024, like.shape[0] // 8))
    column = torch.empty(count, dtype=torch.float64, device=like.device)
    for begin in range(0, count, step):
        chunk = slice(begin, min(begin + step, count))
        column[chunk] = compute(chunk if at is None else at[chunk])
    return column
