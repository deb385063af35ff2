"""The rows of all processes, in rank order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from shared_losses.autocast import without_autocast
from shared_losses.rows import check_batch, check_vector
from shared_losses.shapes import BatchFloats, BatchInts


@dataclass(frozen=True)
class GatheredRows:
    """Detached rows of all processes, equal on each of them, in rank order; those of this process are at `own`."""

    scores: Tensor
    targets: Tensor
    ids: Tensor | None
    target_std: Tensor
    score_std: Tensor
    databases: Tensor
    own: slice
    world_size: int
    extra: tuple[Tensor, ...] = ()


@torch.no_grad()
@without_autocast
def gather_rows(
    scores: BatchFloats,
    targets: BatchFloats,
    *,
    ids: BatchInts | None = None,
    target_std: BatchFloats | None = None,
    score_std: BatchFloats | None = None,
    databases: BatchInts | None = None,
    extra: Sequence[BatchFloats] = (),
) -> GatheredRows:
    """Gathers the batch of every process; the batches may differ in length.

    Every process must call it at the same point, all with `ids` or all without. Without an initialised process group
    it returns the rows given. `target_std` and `score_std` are NaN where not given, `databases` 0; `extra` are further
    columns, as many on every process.

    Values are not checked: a process that raised alone would leave the others waiting in the exchange.

    Raises:
        TypeError: If a tensor is missing or not floating.
        ValueError: If shapes or devices disagree, or some processes pass ids and others none.
    """
    check_batch(scores, targets, target_std)
    if score_std is not None:
        check_vector("score_std", score_std, like=("scores", scores))
    for column in extra:
        check_vector("extra", column, like=("scores", scores))
    for name, column in (("ids", ids), ("databases", databases)):
        if column is not None and column.shape != scores.shape:
            raise ValueError(
                f"{name} and scores must have one length, got shapes {tuple(column.shape)} and {tuple(scores.shape)}"
            )
    target_std = torch.full_like(targets, torch.nan) if target_std is None else target_std.detach()
    score_std = torch.full_like(scores, torch.nan) if score_std is None else score_std.detach()
    databases = torch.zeros_like(scores, dtype=torch.int64) if databases is None else databases
    if not (dist.is_available() and dist.is_initialized()):
        own = slice(0, scores.shape[0])
        more = tuple(column.detach() for column in extra)
        return GatheredRows(scores.detach(), targets.detach(), ids, target_std, score_std, databases, own, 1, more)
    device, world_size = scores.device, dist.get_world_size()
    own_size = torch.tensor([scores.shape[0], ids is not None], device=device)
    sizes = [torch.empty_like(own_size) for _ in range(world_size)]
    dist.all_gather(sizes, own_size)
    lengths, with_ids = torch.stack(sizes).T.tolist()
    if len(set(with_ids)) > 1:
        raise ValueError(f"ids must be passed on all processes or none; passed by rank: {[bool(x) for x in with_ids]}")
    # One exchange: float64 holds every score, every target and every id below 2^53 exactly. Short batches are padded.
    known = torch.zeros_like(databases) if ids is None else ids
    columns = (scores, targets, target_std, score_std, databases, known, *extra)
    padded = torch.zeros(len(columns), max(lengths), dtype=torch.float64, device=device)
    for row, column in zip(padded, columns, strict=True):
        row[: scores.shape[0]] = column.detach()
    blocks = [torch.empty_like(padded) for _ in range(world_size)]
    dist.all_gather(blocks, padded)
    parts = [block[:, :length] for block, length in zip(blocks, lengths, strict=True)]
    every = zip(torch.cat(parts, dim=1), columns, strict=True)
    every = [x.to(like.dtype) for x, like in every]
    all_scores, all_targets, all_std, all_score_std, all_databases, all_ids, *more = every
    begin = sum(lengths[: dist.get_rank()])
    own = slice(begin, begin + scores.shape[0])
    return GatheredRows(
        all_scores,
        all_targets,
        None if ids is None else all_ids,
        all_std,
        all_score_std,
        all_databases,
        own,
        world_size,
        tuple(more),
    )
