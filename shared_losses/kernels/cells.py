"""Sums of a smooth function of differences over many items, in time linear in their number."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

_ORDER = 18  # Chebyshev terms: about 1e-12 for logistic and normal kernels on cells two bandwidths wide
_WIDTH = 2.0
_ROWS = 2**15
_CELLS = 2**9  # worked on at a time: some 10 MiB


class CellSums:
    """Computes sum_m f(p_i - p_m) c_m for all i, f smooth at scale one and constant beyond `reach` on either side.

    The line is cut into cells. On a pair of cells f is a polynomial to about twelve digits (Chebyshev, 18 terms each
    way), so a cell is known by the moments of its charges, and cells act on cells: a one-dimensional fast multipole
    method with one level. Time and memory are linear in N; only cells that hold items count.

    Args:
        position: Sorted positions, float64, shape (N,).
        reach: Distance beyond which f has its limit value to the last digit.
    """

    def __init__(self, position: Tensor, reach: float) -> None:
        span = (position[-1] - position[0]).item()
        # Where all items lie within one cell it is as wide as they are: f is then resolved at their own scale.
        self.width = min(_WIDTH, span) or _WIDTH
        self.reach = math.ceil(min(reach, span) / self.width) + 1
        place = (position - position[0]) / self.width
        number = place.floor().long()
        self.numbers, self.cell, self.sizes = torch.unique_consecutive(number, return_inverse=True, return_counts=True)
        self.local = place.sub_(number).mul_(2).sub_(1)  # in [-1, 1]

    def sums(self, f: Callable[[Tensor], Tensor], charges: Tensor, at: Tensor | None = None) -> Tensor:
        """The sums for the columns of `charges` (N, C), at positions `at` (Q,) or all; shape (Q, C) or (N, C)."""
        cells, columns = self.numbers.shape[0], charges.shape[1]
        moments = charges.new_zeros(cells, _ORDER * columns)
        for begin in range(0, charges.shape[0], _ROWS):
            rows = slice(begin, begin + _ROWS)
            products = _chebyshev(self.local[rows])[:, :, None] * charges[rows][:, None]
            moments.index_add_(0, self.cell[rows], products.flatten(1))
        moments = moments.view(cells, _ORDER, columns)
        field = self._limits(f, moments[:, 0])
        offset = torch.arange(-self.reach, self.reach + 1, device=moments.device)
        action = self._action(f, offset, charges)
        for begin in range(0, cells, _CELLS):
            block = slice(begin, begin + _CELLS)
            number = self.numbers[block, None] - offset
            source = torch.searchsorted(self.numbers, number).clamp_(max=cells - 1)
            acting = moments[source] * (self.numbers[source] == number)[:, :, None, None]
            field[block] += torch.einsum("oab,cobk->cak", action, acting)
        at = torch.arange(self.cell.shape[0], device=self.cell.device) if at is None else at
        parts = [
            torch.einsum("ra,rak->rk", _chebyshev(self.local[rows]), field.index_select(0, self.cell[rows]))
            for rows in at.split(_ROWS)
        ]
        return torch.cat(parts)

    def _limits(self, f: Callable[[Tensor], Tensor], totals: Tensor) -> Tensor:
        """What the cells out of reach give: f's limits times their charges; as the first Chebyshev term."""
        ends = f(torch.tensor([1e4, -1e4], dtype=totals.dtype, device=totals.device))
        prefix = torch.cat([torch.zeros_like(totals[:1]), totals.cumsum(0)])
        below = prefix[torch.searchsorted(self.numbers, self.numbers - self.reach)]
        above = prefix[-1] - prefix[torch.searchsorted(self.numbers, self.numbers + self.reach, right=True)]
        field = totals.new_zeros(totals.shape[0], _ORDER, totals.shape[1])
        field[:, 0] = ends[0] * below + ends[1] * above
        return field

    def _action(self, f: Callable[[Tensor], Tensor], offset: Tensor, like: Tensor) -> Tensor:
        """Coefficients of f(p - q) as a Chebyshev polynomial in both, p `offset` cells above q; (O, ORDER, ORDER)."""
        angle = (torch.arange(_ORDER, dtype=like.dtype, device=like.device) + 0.5) * (math.pi / _ORDER)
        node = angle.cos()
        value = f((offset[:, None, None] + (node[:, None] - node) / 2) * self.width)
        transform = _chebyshev(node).T * (2 / _ORDER)
        transform[0] /= 2
        return transform @ value @ transform.T


def _chebyshev(t: Tensor) -> Tensor:
    """T_0(t), ..., T_{ORDER - 1}(t), shape (N, ORDER)."""
    terms = [torch.ones_like(t), t]
    for _ in range(_ORDER - 2):
        terms.append(2 * t * terms[-1] - terms[-2])
    return torch.stack(terms, dim=1)
