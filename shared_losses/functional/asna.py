"""The loss of ASNA: squared error plus the error of ranks that a trained network, the ranker, gives."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from shared_losses.autocast import without_autocast
from shared_losses.functional.regression import standardised_targets
from shared_losses.gradient_scale import finite_value
from shared_losses.options import check_not_negative
from shared_losses.ranker import LENGTH, frozen_ranker
from shared_losses.rows import Rows, centred, collect_rows, joined_scores
from shared_losses.shapes import BankFloats, BatchFloats, Number, ScalarFloat
from shared_losses.sorting import midrank


@without_autocast
def asna_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    mse_weight: Number = 1.0,
    rank_weight: Number = 0.01,
    exact_target_ranks: bool = False,
    location: Number | None = None,
    scale: Number | None = None,
    rescale: bool = True,
) -> ScalarFloat:
    """ASNA's loss: squared error, correlation and the error of a trained ranker, over exactly 16 rows.

    lambda mean((x - z)^2) + (1 - lambda) (1 - r^2) + mu mean((R(x) - R(z))^2): x are the scores, z the standardised
    targets (targets - location) / scale, r the correlation of x and z, lambda is `mse_weight`, mu `rank_weight`; R, the
    ranker, is a frozen convolutional network that maps 16 numbers to about their ascending ranks 1..16
    (`shared_losses.ranker.Ranker`). r^2 does not tell r from -r, and R depends a little on the order of the rows.
    Source: Ayyoubzadeh and Royat, "(ASNA) An Attention-based Siamese-Difference Neural Network with Surrogate Ranking
    Loss function for Perceptual Image Quality Assessment" (arXiv 2105.02531) and its program,
    smehdia/NTIRE2021-IQA-MACS. The published program has no bank, and its ranker's weights are its own: ours has the
    same layers and kind of training data and fewer steps of training (benchmarks/losses/train_ranker.py); it errs by
    0.17 ranks on average on that data, by 0.22 on standard normal numbers. It runs in float64.

    Args:
        scores: Model outputs in units of `scale`, higher is better; any floating dtype.
        targets: Subjective quality on a linear scale.
        bank_scores: Scores of other items, taken without gradient. A batch of fewer than 16 rows is completed by bank
            rows, evenly spaced over the bank.
        bank_targets: Their targets; all of them take part in `location` and `scale` where these are None.
        target_std: Part of the signature all losses share; not used here.
        mse_weight: lambda, from 0 to 1. Published: 1 for the attention model (no correlation term), 0.5 and 0.01 for
            others.
        rank_weight: mu, not negative. Published: 0.01 for the attention model, 0.1 for others.
        exact_target_ranks: Take the targets' exact midranks in place of R(z).
        location: Target value that maps to 0; see `mse_loss`.
        scale: Positive; target difference that maps to 1; see `mse_loss`.
        rescale: Multiply the gradient, not the value, by 16 / B (ranked rows / batch rows).

    Returns:
        A scalar: float64 for float64 scores, else float32, there at most the largest float32. Where the 16 scores or
        targets are all equal r is taken as 0.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid, there are more than 16 batch rows or fewer than
            16 of batch and bank, or `scale` is None and all targets are equal.
    """
    if not 0 <= mse_weight <= 1:
        raise ValueError(f"mse_weight must lie in [0, 1], got {mse_weight}")
    check_not_negative("rank_weight", rank_weight)
    rows = collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    known = standardised_targets(rows, location, scale)
    rows, index = _sixteen(rows)
    x, z = joined_scores(rows, rescale=rescale), known[index]
    loss = mse_weight * (x - z).square().mean()
    if mse_weight < 1:
        loss = loss + (1 - mse_weight) * (1 - _squared_correlation(x, z))
    if rank_weight > 0:
        ranker = frozen_ranker(x.device)
        target_ranks = midrank(z) if exact_target_ranks else ranker(z[None])[0]
        loss = loss + rank_weight * (ranker(x[None])[0] - target_ranks).square().mean()
    return finite_value(loss, scores)


def _sixteen(rows: Rows) -> tuple[Rows, Tensor]:
    batch, bank = rows.num_batch, rows.num_rows - rows.num_batch
    missing = LENGTH - batch
    if not 0 <= missing <= bank:
        raise ValueError(
            f"asna ranks exactly {LENGTH} rows, batch rows first, then bank rows; got a batch of {batch} and a bank of"
            f" {bank}"
        )
    device = rows.targets.device
    chosen = (2 * torch.arange(missing, device=device) + 1) * bank // max(2 * missing, 1)
    index = torch.cat([torch.arange(batch, device=device), batch + chosen])
    return replace(rows, bank_scores=rows.bank_scores[chosen], targets=rows.targets[index]), index


def _squared_correlation(x: Tensor, z: Tensor) -> Tensor:
    x, z = centred(x), centred(z)
    # Scale does not matter; the largest deviation, as a constant, keeps tiny scores from underflow.
    size, target_size = x.detach().abs().max(), z.abs().max()
    if not bool((size > 0) & (target_size > 0)):
        return (x * 0).sum()
    x, z = x / size, z / target_size
    return (x @ z).square() / (x.square().sum() * z.square().sum())
