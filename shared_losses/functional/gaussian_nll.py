"""Gaussian negative log-likelihood of standardised targets under a predicted mean and deviation."""

from __future__ import annotations

import math

import torch

from shared_losses.autocast import without_autocast
from shared_losses.functional.regression import standardised_targets
from shared_losses.gradient_scale import finite_value, scale_gradient
from shared_losses.rows import check_finite, check_vector, collect_rows
from shared_losses.shapes import BankFloats, BatchFloats, Number, ScalarFloat


@without_autocast
def gaussian_nll_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    score_std: BatchFloats | None = None,
    minimum_std: Number = 1e-3,
    location: Number | None = None,
    scale: Number | None = None,
) -> ScalarFloat:
    """Mean of (log s^2 + (x - z)^2 / s^2) / 2: x scores, s their deviations, z = (targets - location) / scale.

    The constant log(2 pi) / 2 is left out. As in `torch.nn.functional.gaussian_nll_loss`, whose smallest variance of
    1e-6 is the default here, an s below `minimum_std` counts as that and keeps its gradient, so that it can grow again.

    Args:
        scores: Model outputs in units of `scale`, higher is better; any floating dtype.
        targets: Subjective quality on a linear scale.
        bank_scores: Not used; likelihoods are of batch rows.
        bank_targets: Targets of other items; they take part in `location` and `scale` where these are None.
        target_std: Part of the signature all losses share; not used here.
        score_std: Predicted standard deviations, shape (B,), positive (0 where half precision rounds to it), in units
            of `scale`.
        minimum_std: Smallest deviation, at least 1e-50.
        location: Target value that maps to 0; see `mse_loss`.
        scale: Positive; target difference that maps to 1; see `mse_loss`.

    Returns:
        A scalar: float64 for float64 scores, else float32, there at most the largest float32.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid, `score_std` is missing or negative somewhere,
            or `scale` is None and all targets are equal.
    """
    if not 1e-50 <= minimum_std < math.inf:
        raise ValueError(f"minimum_std must be finite and at least 1e-50, got {minimum_std}")
    rows = collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    if score_std is None:
        raise ValueError("score_std is missing: the model must predict a standard deviation for every score")
    check_vector("score_std", score_std, like=("scores", scores))
    check_finite("score_std", score_std)
    if bool((score_std < 0).any()):
        raise ValueError(f"score_std must not be negative, got {score_std.min().item():g}")
    z = standardised_targets(rows, location, scale)[: rows.num_batch]
    x, s = (scale_gradient(values, 1.0, torch.float64) for values in (scores, score_std))
    s = s + (s.detach().clamp(min=minimum_std) - s.detach())
    return finite_value((s.log() + ((x - z) / s).square() / 2).mean(), scores)
