"""Kendall's rank correlation as a loss."""

from __future__ import annotations

import torch
from torch import Tensor

from shared_losses.autocast import without_autocast
from shared_losses.options import check_choice, check_positive
from shared_losses.pairs import collect_pairs, pair_factor
from shared_losses.rows import Rows, collect_rows, loss_dtype, without_correlation
from shared_losses.shapes import BankFloats, BatchFloats, Number, ScalarFloat

_CHUNK = 2**20  # entries of a block of bank pairs: 8 MiB


@without_autocast
def kendall_loss(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    bank_scores: BankFloats | None = None,
    bank_targets: BankFloats | None = None,
    target_std: BatchFloats | None = None,
    tau_share: Number = 0.5,
    tau: Number | None = None,
    pairs: str = "batch",
    rescale: bool = True,
) -> ScalarFloat:
    """1 - Kendall's tau-b with soft signs of the score differences.

    With t = tanh((x_i - x_j) / tau) and s = sign(y_i - y_j), summed over pairs: 1 - sum t s / sqrt(sum t^2 sum s^2).
    As tau falls to 0 it becomes 1 - scipy.stats.kendalltau, ties included; as tau grows t becomes linear in the score
    difference, and order counts less than distance.

    The soft sign is 2 sigmoid(2 (x_i - x_j) / tau) - 1. The program of DiffKendall (arXiv 2307.15317; the paper was not
    read) softens the sign of the product instead, tanh(beta (x_i - x_j) (y_i - y_j) / 2), and takes its plain mean.
    The denominator and the default of tau are our choice.

    Args:
        scores: Model outputs, higher is better; any floating dtype.
        targets: Subjective quality on any monotone scale.
        bank_scores: Scores of other items, taken without gradient.
        bank_targets: Their targets.
        target_std: Part of the signature all losses share; not used here.
        tau_share: Tau as a share of the standard deviation of all N scores, without gradient. Makes the loss blind to
            shift and scale.
        tau: Absolute softness in units of the scores, in place of `tau_share`.
        pairs: "batch" sums over the pairs that hold a batch row, in O(B N) time; its gradient is that of all pairs
            but for the denominator, which is estimated from fewer. "all" sums over the pairs of all N rows, in O(N^2)
            time and bounded memory: 0.2 s a step for 4,096 rows where "batch" takes 2 ms.
        rescale: Multiply the gradient, not the value, by N / B (all rows / batch rows).

    Returns:
        A scalar: float64 for float64 scores, else float32. Where the scores or the targets of all pairs are equal the
        correlation is taken as 0: the loss is 1, its gradient zero.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes, devices, values or options are not valid; see `shared_losses.rows.collect_rows`.
    """
    check_choice("pairs", pairs, ("all", "batch"))
    check_positive("tau_share", tau_share)
    if tau is not None:
        check_positive("tau", tau)
    rows = collect_rows(scores, targets, bank_scores, bank_targets, target_std)
    if not rows.varied:
        return without_correlation(scores)
    x = torch.cat([rows.scores.detach().double(), rows.bank_scores.double()])
    softness = x.std(correction=0) * tau_share if tau is None else x.new_tensor(tau)
    # Scale does not matter: dividing by the largest t, as a constant, keeps small ones from underflow.
    largest = torch.tanh((x.amax() - x.amin()) / softness)
    if pairs == "all":
        factor = rows.num_rows / rows.num_batch if rescale else 1.0
    else:
        factor = pair_factor(rows, rescale=rescale)
    held = collect_pairs(rows, factor)
    t, s = torch.tanh(held.dx / softness) / largest, held.dy.sign()
    sums = torch.stack([(held.weights * product).sum() for product in (t * s, t * t, s * s)])
    if pairs == "all":
        sums = sums + _bank_sums(rows, softness, largest)
    ts, tt, ss = sums
    if not bool((tt > 0) & (ss > 0)):
        return without_correlation(scores)
    return (1 - ts / (tt.sqrt() * ss.sqrt())).to(loss_dtype(scores))


def _bank_sums(rows: Rows, softness: Tensor, largest: Tensor) -> Tensor:
    """Sums of t s, t^2 and s^2 over the ordered pairs of two bank rows, shape (3,)."""
    x, y = rows.bank_scores.double(), rows.targets[rows.num_batch :].double()
    sums = x.new_zeros(3)
    size = max(1, _CHUNK // max(1, x.shape[0]))
    for some_x, some_y in zip(x.split(size), y.split(size), strict=True):
        t = torch.tanh((some_x[:, None] - x) / softness) / largest
        s = (some_y[:, None] - y).sign()
        sums += torch.stack([(t * s).sum(), t.square().sum(), s.square().sum()])
    return sums
