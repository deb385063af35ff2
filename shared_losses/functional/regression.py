"""Errors between scores and standardised targets: squared, absolute and smooth absolute."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from shared_losses.autocast import without_autocast
from shared_losses.gradient_scale import finite_value, scale_gradient
from shared_losses.options import check_positive
from shared_losses.rows import LARGEST, Rows, check_finite, collect_rows
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
        A scalar: float64 for float64 scores, else float32, there at most the largest float32.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid, or `scale` is None and all targets are equal.
    """
    error = _standardised_error(scores, targets, bank_scores, bank_targets, target_std, location, scale)
    return finite_value(error.square().mean(), scores)


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
        A scalar: float64 for float64 scores, else float32, there at most the largest float32.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid, or `scale` is None and all targets are equal.
    """
    error = _standardised_error(scores, targets, bank_scores, bank_targets, target_std, location, scale)
    return finite_value(error.abs().mean(), scores)


@without_autocast
def smooth_l1_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    beta: Number = 1.0,
    location: Number | None = None,
    scale: Number | None = None,
) -> ScalarFloat:
    """Mean of e^2 / (2 beta) where |e| < beta, else |e| - beta / 2; e = scores - (targets - location) / scale.

    Huber's loss divided by beta, as `torch.nn.functional.smooth_l1_loss`. DEIQT and ResSCNN train with it.

    Args:
        scores: Model outputs, higher is better; any floating dtype.
        targets: Subjective quality on a linear scale.
        bank_scores: Not used; errors are of batch rows.
        bank_targets: Targets of other items; they take part in `location` and `scale` where these are None.
        target_std: Part of the signature all losses share; not used here.
        beta: Error, in units of `scale`, at which the square turns into a line; positive.
        location: Target value that maps to 0; see `mse_loss`.
        scale: Positive; target difference that maps to 1; see `mse_loss`.

    Returns:
        A scalar: float64 for float64 scores, else float32, there at most the largest float32.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid, or `scale` is None and all targets are equal.
    """
    check_positive("beta", beta)
    size = _standardised_error(scores, targets, bank_scores, bank_targets, target_std, location, scale).abs()
    near = size.clamp(max=beta)
    return finite_value((near / beta * near / 2 + (size - near)).mean(), scores)


def standardised_targets(rows: Rows, location: Number | None, scale: Number | None) -> Tensor:
    """Returns (targets - location) / scale of batch and bank in float64; None is their mean and standard deviation.

    Raises:
        ValueError: If an option is not valid, the targets are all equal and `scale` is None, or the result is beyond
            1e100 in size.
    """
    if location is not None and not math.isfinite(location):
        raise ValueError(f"location must be finite, got {location}")
    if scale is not None:
        check_positive("scale", scale)
    known = rows.targets.double()
    if scale is None:
        # A smaller spread underflows when squared.
        if not bool(known.max() - known.min() > 1 / LARGEST):
            raise ValueError(
                f"targets have no spread to standardise by: all {rows.num_rows} rows of batch and bank are"
                f" {known[0].item():g}; pass scale (and location)"
            )
        scale = known.std(correction=0).item()
    standardised = (known - (known.mean() if location is None else location)) / scale
    check_finite("standardised targets", standardised)
    return standardised


def _standardised_error(
    scores: Tensor,
    targets: Tensor,
    bank_scores: Tensor | None,
    bank_targets: Tensor | None,
    target_std: Tensor | None,
    location: Number | None,
    scale: Number | None,
) -> Tensor:
    rows = collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    known = standardised_targets(rows, location, scale)
    return scale_gradient(rows.scores, 1.0, torch.float64) - known[: rows.num_batch]
