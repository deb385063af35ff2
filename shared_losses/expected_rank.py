"""Ranks of targets that are known with an error."""

from __future__ import annotations

import torch

from shared_losses.kernels.rank_kernel import in_chunks
from shared_losses.rows import check_finite, check_vector
from shared_losses.shapes import BatchFloats

_CHUNK_ELEMENTS = 2**18


def expected_midrank(targets: BatchFloats, target_std: BatchFloats) -> BatchFloats:
    """Mean rank of each target under independent normal noise of its own standard deviation.

    r_i = 1/2 + sum_j Phi((y_i - y_j) / sqrt(s_i^2 + s_j^2)): what `midrank` would give on average if the ratings were
    repeated. Two targets without noise count as in `midrank`: 0, 1/2 or 1. O(N^2) time, in chunks of bounded memory.

    Args:
        targets: Finite values.
        target_std: Standard errors of the targets (for a mean opinion score: spread of the opinions over the square
            root of their number), not negative. NaN where unknown, which counts as 0.

    Returns:
        Ranks between 1/2 and N + 1/2, float64; they sum to N (N + 1) / 2.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If lengths or devices disagree, or a value is negative or infinite.
    """
    check_vector("targets", targets)
    check_vector("target_std", target_std, like=("targets", targets))
    check_finite("targets", targets)
    variance = target_std.detach().double().nan_to_num(nan=0.0)
    check_finite("target_std", variance)
    if bool((variance < 0).any()):
        raise ValueError(f"target_std must not be negative, got {variance.min().item():g}")
    variance = variance.square()
    y = targets.detach().double()

    def centred_rank(rows: torch.Tensor | slice) -> torch.Tensor:
        difference = y[rows][:, None] - y
        noise = (variance[rows][:, None] + variance).mul_(2).sqrt_()
        # Without noise: the step, sign(difference) / 2.
        return torch.where(noise > 0, torch.erf(difference / noise), difference.sign()).sum(1)

    count = y.shape[0]
    return in_chunks(centred_rank, y, rows=max(1, _CHUNK_ELEMENTS // count)).add_(count + 1).div_(2)
