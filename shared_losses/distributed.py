"""The rows of all processes, in rank order."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from shared_losses.autocast import without_autocast
from shared_losses.rows import check_batch
from shared_losses.shapes import BatchFloats, BatchInts


@dataclass(frozen=True)
class GatheredRows:
    """Detached rows of all processes, equal on each of them, in rank order; those of this process are at `own`."""

    scores: Tensor
    targets: Tensor
    ids: Tensor | None
    target_std: Tensor
    own: slice
    world_size: int


@torch.no_grad()
@without_autocast
def gather_rows(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    ids: BatchInts | None = None,
    target_std: BatchFloats | None = None,
) -> GatheredRows:
    """Gathers the batch of every process; the batches may differ in length.

    Every process must call it at the same point, all with `ids` or all without. Without an initialised process group
    it returns the rows given. `target_std` is NaN where unknown.

    Values are not checked: a process that raised alone would leave the others waiting in the exchange.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes or devices disagree, or some processes pass ids and others none.
    """
    check_batch(scores, targets, target_std)
    if ids is not None and ids.shape != scores.shape:
        raise ValueError(
            f"ids and scores must have one length, got shapes {tuple(ids.shape)} and {tuple(scores.shape)}"
        )
    std = torch.full_like(targets, torch.nan) if target_std is None else target_std
    if not (dist.is_available() and dist.is_initialized()):
        own = slice(0, scores.shape[0])
        return GatheredRows(scores.detach(), targets.detach(), ids, std.detach(), own, 1)
    device, world_size = scores.device, dist.get_world_size()
    own_size = torch.tensor([scores.shape[0], ids is not None], device=device)
    sizes = torch.empty(2 * world_size, dtype=own_size.dtype, device=device)
    dist.all_gather_into_tensor(sizes, own_size)
    lengths, with_ids = sizes.view(world_size, 2).T.tolist()
    if len(set(with_ids)) > 1:
        raise ValueError(f"ids must be passed on all processes or none; passed by rank: {[bool(x) for x in with_ids]}")
    # One exchange: float64 holds every score, every target and every id below 2^53 exactly. Short batches are padded.
    padded = torch.zeros(4, max(lengths), dtype=torch.float64, device=device)
    columns = (scores, targets, std, torch.zeros_like(targets) if ids is None else ids)
    for row, column in zip(padded, columns, strict=True):
        row[: scores.shape[0]] = column.detach()
    blocks = torch.empty(4 * world_size, max(lengths), dtype=torch.float64, device=device)
    dist.all_gather_into_tensor(blocks, padded)
    parts = [block[:, :length] for block, length in zip(blocks.view(world_size, 4, -1), lengths, strict=True)]
    all_scores, all_targets, all_std, all_ids = torch.cat(parts, dim=1)
    begin = sum(lengths[: dist.get_rank()])
    return GatheredRows(
        all_scores.to(scores.dtype),
        all_targets.to(targets.dtype),
        None if ids is None else all_ids.to(ids.dtype),
        all_std.to(std.dtype),
        slice(begin, begin + scores.shape[0]),
        world_size,
    )
