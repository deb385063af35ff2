"""Contrastive loss of crops with intra-class negatives, after LML-IQA."""

from __future__ import annotations

import torch
from torch import Tensor

from shared_losses.autocast import without_autocast
from shared_losses.gradient_scale import scale_gradient
from shared_losses.options import check_not_negative, check_positive
from shared_losses.rows import check_finite, check_matrix, collect_rows, loss_dtype
from shared_losses.shapes import BankFloats, BatchFloats, Number, ScalarFloat


@without_autocast
def local_manifold_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    anchor_embeddings: Tensor | None = None,
    positive_embeddings: Tensor | None = None,
    negative_embeddings: Tensor | None = None,
    temperature: Number = 0.1,
    inner_weight: Number = 1.0,
) -> ScalarFloat:
    """Mean over images k of -log(e(a_k, p_k) / (e(a_k, p_k) + w sum_c e(a_k, n_kc) + the same of other images)).

    e(u, v) = exp(cosine of u and v / temperature). a_k is the student's embedding of the salient crop of image k, p_k
    the teacher's of that crop, n_kc the teacher's of the other crops of the image: its intra-class negatives, weighed
    by w. Inter-class negatives are p and n of all other images of the batch. RECONSTRUCTION: the idea is that of
    LML-IQA (arXiv 2406.19247); its expression, temperature and weights could not be read. Crops of one image have one
    target and are pushed apart: take embeddings from a projection beside the regression head, not from its input.

    Args:
        scores: Model outputs, one an image; not used but for the graph: their gradient is zero.
        targets: Subjective quality; not used.
        bank_scores: Not used; embeddings of other steps are not stored.
        bank_targets: Not used.
        target_std: Part of the signature all losses share; not used here.
        anchor_embeddings: a, shape (B, D).
        positive_embeddings: p, shape (B, D). They get a gradient unless the caller detaches them, as a teacher's.
        negative_embeddings: n, shape (B, C, D), gradient as p. None: one crop an image, no intra-class negatives.
        temperature: Positive.
        inner_weight: w, not negative; 0 leaves plain discrimination of images.

    Returns:
        A scalar: float64 for float64 scores, else float32. Without any negative (B = 1 and w = 0 or no
        `negative_embeddings`) it is 0 with a zero gradient. The cosine of a zero embedding is 0.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid, or `anchor_embeddings` or
            `positive_embeddings` are missing.
    """
    check_positive("temperature", temperature)
    check_not_negative("inner_weight", inner_weight)
    collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    if anchor_embeddings is None or positive_embeddings is None:
        missing = "anchor_embeddings" if anchor_embeddings is None else "positive_embeddings"
        raise ValueError(f"{missing} are missing: the model must embed a crop of every image with student and teacher")
    check_matrix("anchor_embeddings", anchor_embeddings, like=("scores", scores))
    images, dimensions = anchor_embeddings.shape
    check_matrix("positive_embeddings", positive_embeddings, dimensions, like=("scores", scores))
    if negative_embeddings is None:
        negative_embeddings = positive_embeddings.new_empty(images, 0, dimensions)
    _check_crops(negative_embeddings, images, dimensions, scores)

    a, p, n = (_unit(values) for values in (anchor_embeddings, positive_embeddings, negative_embeddings))
    to_positives = a @ p.T / temperature
    to_negatives = torch.einsum("kd,icd->kic", a, n) / temperature
    inner = torch.eye(images, device=scores.device, dtype=torch.float64)[:, :, None]
    log_weight = inner.new_tensor(inner_weight).log()  # of 0: minus infinity, whose exp and derivative are 0
    to_negatives = torch.where(inner.bool(), to_negatives + log_weight, to_negatives)
    every = torch.cat([to_positives, to_negatives.flatten(1)], dim=1)
    loss = (every.logsumexp(1) - to_positives.diagonal()).mean()
    return (loss + (scores * 0).sum(dtype=torch.float64)).to(loss_dtype(scores))


def _unit(values: Tensor) -> Tensor:
    values = scale_gradient(values, 1.0, torch.float64)
    # Dividing by the largest entry, as a constant, keeps squares in range; a zero vector stays zero.
    size = values.detach().abs().amax(-1, keepdim=True) if values.numel() else values.new_ones(())
    values = values / torch.where(size > 0, size, 1.0)
    return values / torch.where(size > 0, torch.linalg.vector_norm(values, dim=-1, keepdim=True), 1.0)


def _check_crops(value: Tensor, images: int, dimensions: int, scores: Tensor) -> None:
    if not isinstance(value, Tensor) or not value.is_floating_point():
        kind = value.dtype if isinstance(value, Tensor) else type(value).__name__
        raise TypeError(f"negative_embeddings must be a floating tensor, got {kind}")
    if value.ndim != 3 or (value.shape[0], value.shape[2]) != (images, dimensions):
        raise ValueError(f"negative_embeddings must have shape ({images}, C, {dimensions}), got {tuple(value.shape)}")
    if value.device != scores.device:
        raise ValueError(f"negative_embeddings are on {value.device}, scores on {scores.device}; move one of them")
    check_finite("negative_embeddings", value)
