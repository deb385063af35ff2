"""Agreement of two predictions for the same items: of a student and its teacher, or of two views."""

from __future__ import annotations

import torch
from torch import Tensor

from shared_losses.autocast import without_autocast
from shared_losses.gradient_scale import finite_value, scale_gradient
from shared_losses.rows import check_finite, collect_rows
from shared_losses.shapes import BankFloats, BatchFloats, ScalarFloat


@without_autocast
def consistency_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    student_predictions: Tensor | None = None,
    teacher_predictions: Tensor | None = None,
) -> ScalarFloat:
    """Mean squared difference between what a student and its teacher predict for the same items.

    The consistency cost of Tarvainen and Valpola, "Mean teachers are better role models", NIPS 2017. It knows nothing
    of targets, so predictions must be on a scale that something else fixes; those of unit square for each item (roots
    of a distribution) make it the squared Hellinger distance, times two over their number.

    Args:
        scores: Model outputs, one an item; not used but for the graph: their gradient is zero.
        targets: Subjective quality; not used.
        bank_scores: Not used; predictions of other steps are not stored.
        bank_targets: Not used.
        target_std: Part of the signature all losses share; not used here.
        student_predictions: Shape (B, ...), any number of values an item.
        teacher_predictions: Of the same shape. They get a gradient unless the caller detaches them, as a teacher's.

    Returns:
        A scalar: float64 for float64 scores, else float32, there at most the largest float32.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices or values are not valid, or predictions are missing.
    """
    collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    if student_predictions is None or teacher_predictions is None:
        missing = "student_predictions" if student_predictions is None else "teacher_predictions"
        raise ValueError(f"{missing} are missing: the model must predict with student and teacher")
    _check_predictions("student_predictions", student_predictions, scores)
    _check_predictions("teacher_predictions", teacher_predictions, scores)
    if student_predictions.shape != teacher_predictions.shape:
        raise ValueError(
            f"student_predictions and teacher_predictions must have one shape, got "
            f"{tuple(student_predictions.shape)} and {tuple(teacher_predictions.shape)}"
        )
    student, teacher = (scale_gradient(x, 1.0, torch.float64) for x in (student_predictions, teacher_predictions))
    return finite_value((student - teacher).square().mean() + (scores * 0).sum(dtype=torch.float64), scores)


def _check_predictions(name: str, value: Tensor, scores: Tensor) -> None:
    if not isinstance(value, Tensor) or not value.is_floating_point():
        kind = value.dtype if isinstance(value, Tensor) else type(value).__name__
        raise TypeError(f"{name} must be a floating tensor, got {kind}")
    if value.ndim == 0 or value.shape[0] != scores.shape[0] or value.numel() == 0:
        raise ValueError(f"{name} must have shape ({scores.shape[0]}, ...) and values, got {tuple(value.shape)}")
    if value.device != scores.device:
        raise ValueError(f"{name} are on {value.device}, scores on {scores.device}; move one of them")
    check_finite(name, value)
