"""Squared and absolute error on standardised targets."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from shared_losses.autocast import without_autocast
from shared_losses.gradient_scale import scale_gradient
from shared_losses.rows import collect_rows, loss_dtype
from shared_losses.shapes import BankFloats, BatchFloats, Number, ScalarFloat


@without_autocast
def mse_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    location: Number | None = None,
    scale: Number | None = None,
) -> ScalarFloat:
    """Mean squared error between scores and standardised targets, (targets - location) / scale.

    Args:
        scores: Model outputs, higher is better; any floating dtype.
        targets: Subjective quality on a linear scale.
        bank_scores: Not used; errors are of batch rows.
        bank_targets: Targets of other items; they take part in `location` and `scale` where these are None.
        target_std: Part of the signature all losses share; not used here.
        location: Target value that maps to 0, best the mean of the training set. None: mean over batch and bank.
        scale: Positive; target difference that maps to 1, best the standard deviation of the training set. None:
            population standard deviation over batch and bank.

    Returns:
        A scalar: float64 for float64 scores, else float32.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid, or `scale` is None and all targets are equal.
    """
    error = _standardised_error(scores, targets, bank_scores, bank_targets, target_std, location, scale)
    return error.square().mean().to(loss_dtype(scores))


@without_autocast
def mae_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    location: Number | None = None,
    scale: Number | None = None,
) -> ScalarFloat:
    """Mean absolute error between scores and standardised targets, (targets - location) / scale.

    Args:
        scores: Model outputs, higher is better; any floating dtype.
        targets: Subjective quality on a linear scale.
        bank_scores: Not used; errors are of batch rows.
        bank_targets: Targets of other items; they take part in `location` and `scale` where these are None.
        target_std: Part of the signature all losses share; not used here.
        location: Target value that maps to 0; see `mse_loss`.
        scale: Positive; target difference that maps to 1; see `mse_loss`.

    Returns:
        A scalar: float64 for float64 scores, else float32.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid, or `scale` is None and all targets are equal.
    """
    error = _standardised_error(scores, targets, bank_scores, bank_targets, target_std, location, scale)
    return error.abs().mean().to(loss_dtype(scores))


def _standardised_error(
    scores: Tensor,
    targets: Tensor,
    bank_scores: Tensor | None,
    bank_targets: Tensor | None,
    target_std: Tensor | None,
    location: Number | None,
    scale: Number | None,
) -> Tensor:
    if location is not None and not math.isfinite(location):
        raise ValueError(f"location must be finite, got {location}")
    if scale is not None and not 0 < scale < math.inf:
        raise ValueError(f"scale must be positive and finite, got {scale}")
    rows = collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    known = rows.targets.double()
    if scale is None:
        if bool((known == known[0]).all()):
            raise ValueError(
                f"targets have no spread to standardise by: all {rows.num_rows} rows of batch and bank are"
                f" {known[0].item():g}; pass scale (and location)"
            )
        scale = known.std(correction=0).item()
    centre = known.mean() if location is None else location
    return scale_gradient(rows.scores, 1.0, torch.float64) - (known[: rows.num_batch] - centre) / scale
