"""The rows that a loss works on: checked in one place and in one pass, and joined with the bank's."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from shared_losses.gradient_scale import scale_gradient

LARGEST = 1e100  # beyond this, squares overflow float64


@dataclass(frozen=True)
class Rows:
    """Checked input of a loss: B batch rows followed by M bank rows, N = B + M.

    Attributes:
        scores: Batch scores, shape (B,), with their graph.
        bank_scores: Bank scores, shape (M,), detached; M may be 0.
        targets: Targets of batch and bank, shape (N,).
        varied: Whether both the N scores and the N targets hold at least two different values. Where they do not, no
            correlation is defined.
    """

    scores: Tensor
    bank_scores: Tensor
    targets: Tensor
    varied: bool

    @property
    def num_batch(self) -> int:
        return self.scores.shape[0]

    @property
    def num_rows(self) -> int:
        return self.targets.shape[0]


def collect_rows(
    scores: Tensor,
    targets: Tensor,
    bank_scores: Tensor | None = None,
    bank_targets: Tensor | None = None,
    target_std: Tensor | None = None,
) -> Rows:
    """Checks batch and bank against each other and joins them.

    Raises:
        TypeError: If something is no tensor or not floating.
        ValueError: If a shape, length or device disagrees, the batch is empty, or a value is NaN, infinite or beyond
            1e100 in size. The message names both sides. `target_std` may hold NaN (unknown).
    """
    check_batch(scores, targets, target_std)
    if (bank_scores is None) != (bank_targets is None):
        given, missing = ("bank_scores", "bank_targets") if bank_targets is None else ("bank_targets", "bank_scores")
        raise ValueError(f"{given} came without {missing}; pass both or neither")
    named = {"scores": scores, "targets": targets}
    if bank_scores is not None and bank_targets is not None:
        check_vector("bank_scores", bank_scores)
        check_vector("bank_targets", bank_targets, like=("bank_scores", bank_scores))
        if bank_scores.device != scores.device:
            raise ValueError(f"bank_scores are on {bank_scores.device}, scores on {scores.device}; move one of them")
        if bank_scores.shape[0] > 0:
            named |= {"bank_scores": bank_scores, "bank_targets": bank_targets}
    extremes = _finite_extremes({name: tensor.detach() for name, tensor in named.items()})
    varied = _spread(extremes, "scores", "bank_scores") and _spread(extremes, "targets", "bank_targets")
    if "bank_scores" not in named:
        return Rows(scores, scores.new_empty(0), targets.detach(), varied)
    all_targets = torch.cat([targets.detach(), named["bank_targets"].detach()])
    return Rows(scores, named["bank_scores"].detach(), all_targets, varied)


def check_batch(scores: Tensor, targets: Tensor, target_std: Tensor | None = None) -> None:
    """Raises TypeError or ValueError unless these are floating vectors of one length and device, at least one row."""
    check_vector("scores", scores)
    check_vector("targets", targets, like=("scores", scores))
    if scores.shape[0] == 0:
        raise ValueError("scores and targets are empty; a loss needs at least one row")
    if target_std is not None:
        check_vector("target_std", target_std, like=("scores", scores))


def check_matrix(name: str, value: Tensor, num_columns: int | None = None, *, like: tuple[str, Tensor]) -> None:
    """Raises TypeError or ValueError unless `value` is a finite floating matrix with the rows and device of `like`."""
    other_name, other = like
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a floating tensor, got {type(value).__name__}")
    if not value.is_floating_point():
        raise TypeError(f"{name} must be floating, got {value.dtype}; convert with .float()")
    columns = "K" if num_columns is None else num_columns
    fits = value.ndim == 2 and value.shape[0] == other.shape[0] and value.shape[1] == (num_columns or value.shape[1])
    if not fits or value.shape[1] == 0:
        raise ValueError(f"{name} must have shape ({other.shape[0]}, {columns}), got {tuple(value.shape)}")
    if value.device != other.device:
        raise ValueError(f"{name} are on {value.device}, {other_name} on {other.device}; move one of them")
    check_finite(name, value)


def joined_scores(rows: Rows, *, rescale: bool) -> Tensor:
    """Batch scores, their gradient times N / B if `rescale`, then bank scores; float64, shape (N,)."""
    factor = rows.num_rows / rows.num_batch if rescale else 1.0
    return torch.cat([scale_gradient(rows.scores, factor, torch.float64), rows.bank_scores.double()])


def centred(values: Tensor) -> Tensor:
    """Values less their mean."""
    return values - values.mean()


def loss_dtype(scores: Tensor) -> torch.dtype:
    """The type of a loss value: float64 for float64 scores, else float32."""
    return torch.promote_types(scores.dtype, torch.float32)


def without_correlation(scores: Tensor) -> Tensor:
    """Returns the loss of rows that have no correlation: 1, with a zero gradient to `scores`."""
    return (scores * 0).sum(dtype=loss_dtype(scores)) + 1


def check_finite(name: str, values: Tensor) -> None:
    """Raises ValueError, with counts, if `values` hold a NaN, an infinity or anything beyond 1e100 in size."""
    if values.numel():
        _finite_extremes({name: values.detach()})


def check_vector(name: str, value: Tensor, like: tuple[str, Tensor] | None = None) -> None:
    """Raises TypeError or ValueError unless `value` is a floating vector, of the length and device of `like`."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a floating tensor, got {type(value).__name__}")
    if not value.is_floating_point():
        raise TypeError(f"{name} must be floating, got {value.dtype}; convert with .float()")
    if value.ndim != 1:
        raise ValueError(
            f"{name} must be one-dimensional, got shape {tuple(value.shape)}; one row a stimulus, e.g. squeeze(-1)"
        )
    if like is not None:
        other_name, other = like
        if value.shape != other.shape:
            raise ValueError(
                f"{name} and {other_name} must have one length, got {value.shape[0]} and {other.shape[0]} rows"
            )
        if value.device != other.device:
            raise ValueError(f"{name} are on {value.device}, {other_name} on {other.device}; move one of them")


def _finite_extremes(named: dict[str, Tensor]) -> dict[str, tuple[float, float]]:
    # aminmax passes NaN on, and one tolist() means one synchronisation on a GPU.
    pairs = torch.stack([torch.stack(tensor.aminmax()).double() for tensor in named.values()]).tolist()
    for (name, tensor), (low, high) in zip(named.items(), pairs, strict=True):
        if not (low >= -LARGEST and high <= LARGEST):
            bad = int((~(tensor.double().abs() <= LARGEST)).sum())
            raise ValueError(
                f"{name} must be finite (and at most 1e100 in size): {bad} of {tensor.numel()} values are not"
            )
    return {name: (low, high) for name, (low, high) in zip(named, pairs, strict=True)}


def _spread(extremes: dict[str, tuple[float, float]], *names: str) -> bool:
    pairs = [extremes[name] for name in names if name in extremes]
    # A spread below 1e-100 would underflow when squared; it counts as none.
    return max(high for _, high in pairs) - min(low for low, _ in pairs) > 1 / LARGEST
