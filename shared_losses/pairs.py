"""What pairwise losses share: all pairs that hold a batch row, their mean, and the scale of its gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from shared_losses.gradient_scale import scale_gradient
from shared_losses.rows import LARGEST, Rows, check_vector


@dataclass(frozen=True)
class Pairs:
    """Pairs (i, j) of a batch row i with any of the N rows j; every tensor is float64 of shape (B, N).

    A loss of pairs is symmetric, l(i, j) = l(j, i), so that these stand for all B (2N - B - 1) ordered pairs that hold
    a batch row.

    Attributes:
        dx: Score differences x_i - x_j, with a gradient through both sides where both are batch rows.
        dy: Target differences y_i - y_j.
        weights: Ordered pairs that an entry stands for: 1 for two batch rows, 2 for a batch row and a bank row, 0 for
            a row and itself.
    """

    dx: Tensor
    dy: Tensor
    weights: Tensor

    def mean(self, losses: Tensor, counted: Tensor | None = None) -> Tensor:
        """Mean of `losses` (B, N) over the pairs, or over the `counted` ones; 0 if there are none."""
        weights = self.weights if counted is None else self.weights * counted
        return (weights * losses).sum() / weights.sum().clamp(min=1)


def pair_factor(rows: Rows, *, rescale: bool) -> float:
    """What to multiply the gradient of `Pairs.mean` by.

    With rescale=False, B (2N - B - 1) / (N (N - 1)): the gradient is then that of the mean over the pairs of all N
    rows, as far as it concerns the batch. With rescale=True it is N / B times that. Where a loss counts only some
    pairs, this holds for its sum: the gradient is the one of all N rows up to the ratio of the shares of pairs that
    are counted, among all pairs and among those that hold a batch row.
    """
    batch, count = rows.num_batch, rows.num_rows
    if count == batch:
        return 1.0
    return (2 * count - batch - 1) / (count - 1) * (1.0 if rescale else batch / count)


def collect_pairs(rows: Rows, factor: float) -> Pairs:
    """The pairs of `rows`, the gradient of the batch scores times `factor`."""
    batch, count = rows.num_batch, rows.num_rows
    x = scale_gradient(rows.scores, factor, torch.float64)
    y = rows.targets.double()
    weights = torch.full((batch, count), 2.0, dtype=torch.float64, device=x.device)
    weights[:, :batch] = 1 - torch.eye(batch, dtype=torch.float64, device=x.device)
    return Pairs(x[:, None] - torch.cat([x, rows.bank_scores.double()]), y[:batch, None] - y, weights)


def score_spread(rows: Rows, score_std: Tensor | None, bank_score_std: Tensor | None, factor: float) -> Tensor:
    """Standard deviations of x_i - x_j, shape (B, N), float64: sqrt(s_i^2 + s_j^2), s = 1 without `score_std`.

    The gradient of `score_std` is multiplied by `factor`; `bank_score_std` gets none.

    Raises:
        TypeError: If a standard deviation is no floating tensor.
        ValueError: If one is not between 1e-100 and 1e100, its length or device is wrong, or it is missing on one side.
    """
    if score_std is None:
        if bank_score_std is not None:
            raise ValueError("bank_score_std came without score_std; pass both or neither")
        return torch.full((rows.num_batch, rows.num_rows), math.sqrt(2), dtype=torch.float64, device=rows.scores.device)
    if bank_score_std is None:
        if rows.num_rows > rows.num_batch:
            raise ValueError("score_std came with a bank but without bank_score_std; pass both or neither")
        bank_score_std = rows.bank_scores
    _check_std("score_std", score_std, ("scores", rows.scores), lowest=1 / LARGEST)
    _check_std("bank_score_std", bank_score_std, ("bank_scores", rows.bank_scores), lowest=1 / LARGEST)
    std = scale_gradient(score_std, factor, torch.float64)
    return torch.hypot(std[:, None], torch.cat([std, bank_score_std.detach().double()]))


def target_stds(rows: Rows, target_std: Tensor | None, bank_target_std: Tensor | None) -> Tensor:
    """Standard deviations of the N targets, shape (N,), float64, detached; NaN where unknown.

    Raises:
        TypeError: If a standard deviation is no floating tensor.
        ValueError: If one is negative or beyond 1e100, or its length or device is wrong.
    """
    parts = []
    for name, value, like in (
        ("target_std", target_std, ("scores", rows.scores)),
        ("bank_target_std", bank_target_std, ("bank_scores", rows.bank_scores)),
    ):
        if value is not None:
            _check_std(name, value, like, lowest=0.0, may_be_unknown=True)
        known = torch.full_like(like[1].detach(), math.nan) if value is None else value.detach()
        parts.append(known.double())
    return torch.cat(parts)


def target_preference(pairs: Pairs, stds: Tensor) -> Tensor:
    """Probability that the opinions of i exceed those of j, shape (B, N).

    Phi(dy / sqrt(std_i^2 + std_j^2)) where both `stds` are known and not both 0, else `target_order`.
    """
    spread = torch.hypot(stds[: pairs.dy.shape[0], None], stds)
    known = spread > 0  # false for NaN
    return torch.where(known, torch.special.ndtr(pairs.dy / spread.where(known, 1)), target_order(pairs))


def target_order(pairs: Pairs) -> Tensor:
    """1 where the target of i is the higher, 0 where it is the lower, 1/2 at ties; shape (B, N)."""
    return (1 + pairs.dy.sign()) / 2


def _check_std(
    name: str, value: Tensor, like: tuple[str, Tensor], *, lowest: float, may_be_unknown: bool = False
) -> None:
    check_vector(name, value, like=like)
    known = value.detach().double()
    bad = ~((known >= lowest) & (known <= LARGEST))
    if may_be_unknown:
        bad &= ~known.isnan()
    if bool(bad.any()):
        expected = "not negative, at most 1e100, or NaN for unknown" if may_be_unknown else "between 1e-100 and 1e100"
        raise ValueError(f"{name} must be {expected}: {int(bad.sum())} of {value.numel()} values are not")
