"""Cross entropy of a head that tells the class of an item, such as its type of distortion."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from shared_losses.autocast import without_autocast
from shared_losses.gradient_scale import finite_value, scale_gradient
from shared_losses.rows import check_matrix, collect_rows
from shared_losses.shapes import BankFloats, BatchFloats, BatchInts, ScalarFloat


@without_autocast
def cross_entropy_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    class_logits: Tensor | None = None,
    classes: BatchInts | None = None,
) -> ScalarFloat:
    """Mean over the rows of known class c of log(sum_k exp x_k) - x_c, x the K logits of a row.

    A side task beside the scores: PQA-Net (Liu et al., TCSVT 2021) learns types of distortion with it, first alone and
    then beside 0.025 times the absolute error of quality.

    Args:
        scores: Model outputs, one an item; not used but for the graph: their gradient is zero.
        targets: Subjective quality; not used.
        bank_scores: Not used; logits of other steps are not stored.
        bank_targets: Not used.
        target_std: Part of the signature all losses share; not used here.
        class_logits: Logits x of the K classes, shape (B, K).
        classes: Index of each row's class, integers from 0 to K - 1; -1 where it is unknown, which leaves the row out.

    Returns:
        A scalar: float64 for float64 scores, else float32, there at most the largest float32. 0, with a zero gradient,
        where no class is known.

    Raises:
        TypeError: If a tensor is missing or not floating, or `classes` are no integers.
        ValueError: If shapes, devices or values are not valid, or logits or classes are missing.
    """
    collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    if class_logits is None:
        raise ValueError("class_logits are missing: the model must predict a logit of every class")
    if classes is None:
        raise ValueError("classes are missing: the data must name the class of each item")
    check_matrix("class_logits", class_logits, like=("scores", scores))
    check_classes(classes, class_logits)
    logits = scale_gradient(class_logits, 1.0, torch.float64)
    known = classes >= 0
    entropy = nn.functional.cross_entropy(logits, classes.long().clamp(min=0), reduction="none")
    mean = (entropy * known).sum() / known.sum().clamp(min=1)
    return finite_value(mean + (scores * 0).sum(dtype=torch.float64), scores)


def check_classes(classes: Tensor, class_logits: Tensor) -> None:
    """Raises TypeError or ValueError unless `classes` (B,) are integers from -1 to K - 1, for logits (B, K)."""
    if not isinstance(classes, Tensor):
        raise TypeError(f"classes must be a tensor of integers, got {type(classes).__name__}")
    if classes.is_floating_point() or classes.is_complex() or classes.dtype == torch.bool:
        raise TypeError(f"classes must be integers, got {classes.dtype}; convert with .long()")
    count, width = class_logits.shape
    if classes.shape != (count,):
        raise ValueError(f"classes must have shape ({count},), got {tuple(classes.shape)}")
    if classes.device != class_logits.device:
        raise ValueError(f"classes are on {classes.device}, class_logits on {class_logits.device}; move one of them")
    low, high = (x.item() for x in classes.aminmax())
    if not -1 <= low <= high < width:
        raise ValueError(
            f"classes must lie in -1..{width - 1} (-1: unknown), as class_logits have {width} columns;"
            f" got {low}..{high}"
        )
