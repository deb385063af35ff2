"""Scores and targets of earlier steps, kept without gradient."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from shared_losses.rows import check_finite, check_vector, collect_rows
from shared_losses.shapes import BatchFloats, BatchInts, SomeFloats, SomeInts

_KINDS = ("table", "fifo")
_FEWEST_REVISITED = 8  # below it, what a step says of the drift is noise


class BankRows(NamedTuple):
    """Rows held by a bank, without gradient; `target_std` and `score_std` are NaN where unknown."""

    scores: Tensor
    targets: Tensor
    target_std: Tensor
    score_std: Tensor


class ScoreBank(nn.Module):
    """Remembers scored items, so that a small batch can be ranked among many.

    It holds state only: the losses take its rows as `bank_scores` and `bank_targets`. A "table" has one slot for each
    training item, found by its id, so that an item is held once, with its latest score; a "fifo" keeps the latest rows
    whatever their ids. Everything, the cursor included, is in buffers and so in `state_dict`, which restores the bank
    bit for bit. Rows are kept in float32 (or `dtype`), 20 bytes a row in all, 28 in a fifo.

    Call `push` once an optimiser step, after the loss. With several processes, push the rows of `gather_rows`: the
    banks then stay identical.

    Args:
        capacity: Number of slots; for a table the number of ids, which run from 0 to capacity - 1.
        kind: "table" or "fifo".
        dtype: Floating type in which rows are kept.

    Raises:
        ValueError: If `capacity` is not positive or `kind` unknown.
    """

    scores: Tensor
    targets: Tensor
    target_std: Tensor
    score_std: Tensor
    ids: Tensor
    pushed_at: Tensor
    step: Tensor
    cursor: Tensor
    count: Tensor
    kind_code: Tensor

    def __init__(
        self, capacity: int, kind: Literal["table", "fifo"] = "table", *, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        if kind not in _KINDS:
            raise ValueError(f"kind must be one of {', '.join(map(repr, _KINDS))}; got {kind!r}")
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self.kind = kind
        self.register_buffer("scores", torch.zeros(capacity, dtype=dtype))
        self.register_buffer("targets", torch.zeros(capacity, dtype=dtype))
        self.register_buffer("target_std", torch.full((capacity,), torch.nan, dtype=dtype))
        self.register_buffer("score_std", torch.full((capacity,), torch.nan, dtype=dtype))
        # In a table the slot is the id. -1: no id.
        self.register_buffer("ids", torch.full((capacity if kind == "fifo" else 0,), -1))
        # Step of the last push; -1: empty slot.
        self.register_buffer("pushed_at", torch.full((capacity,), -1, dtype=torch.int32))
        self.register_buffer("step", torch.tensor(0))
        self.register_buffer("cursor", torch.tensor(0))  # next slot of a fifo
        self.register_buffer("count", torch.tensor(0))
        self.register_buffer("kind_code", torch.tensor(_KINDS.index(kind)))

    @property
    def capacity(self) -> int:
        """Number of slots."""
        return self.scores.shape[0]

    @property
    def fill(self) -> float:
        """Share of the slots in use, in [0, 1]."""
        return self.count.item() / self.capacity

    @property
    def mean_age(self) -> float | None:
        """Mean age of the rows in pushes, 1 for those of the latest; None while the bank is empty."""
        pushed_at = self.pushed_at[self.pushed_at >= 0]
        return None if len(pushed_at) == 0 else float((self.step - pushed_at).double().mean())

    @torch.no_grad()
    def push(
        self,
        scores: BatchFloats,
        targets: BatchFloats,
        ids: BatchInts | None = None,
        *,
        target_std: BatchFloats | None = None,
        score_std: BatchFloats | None = None,
    ) -> None:
        """Stores rows and counts one step; nothing is stored if anything is wrong.

        Args:
            scores: Scores, any number of rows; a fifo keeps the last `capacity` of them.
            targets: Their targets.
            ids: Their ids, each at most once. A table needs them.
            target_std: Spread of the opinions behind the targets, NaN where unknown.
            score_std: Spread that the model gives to its scores, NaN where unknown.

        Raises:
            TypeError: If a tensor is missing, `scores` or `targets` are not floating or `ids` not integer.
            ValueError: If lengths, devices or values disagree, or ids are repeated, missing or out of range.
        """
        collect_rows(scores, targets, target_std=target_std)
        if score_std is not None:
            check_vector("score_std", score_std, like=("scores", scores))
        if scores.device != self.scores.device:
            raise ValueError(f"scores are on {scores.device}, the bank on {self.scores.device}; move one of them")
        check_finite(f"scores as {self.scores.dtype}", scores.to(self.scores.dtype))
        check_finite(f"targets as {self.scores.dtype}", targets.to(self.scores.dtype))
        if ids is not None:
            self._check_ids(ids, scores.shape[0])
        elif self.kind == "table":
            raise ValueError(f"a table of {self.capacity} slots needs ids; got {scores.shape[0]} rows without")
        kept = slice(max(0, scores.shape[0] - self.capacity), None)
        if ids is not None and self.kind == "table":
            slots = ids
        else:
            slots = (self.cursor + torch.arange(scores[kept].shape[0], device=scores.device)) % self.capacity
            self.cursor.add_(slots.shape[0]).remainder_(self.capacity)
        columns = ((self.scores, scores), (self.targets, targets))
        columns += ((self.target_std, target_std), (self.score_std, score_std))
        for held, new in columns:
            held[slots] = torch.nan if new is None else new[kept].to(held.dtype)
        if self.kind == "fifo":
            self.ids[slots] = -1 if ids is None else ids[kept]
        self.pushed_at[slots] = self.step.int()
        self.step += 1
        self.count.copy_((self.pushed_at >= 0).sum())

    def view(
        self,
        exclude_ids: SomeInts | None = None,
        max_age: int | None = None,
        *,
        align_scores: SomeFloats | None = None,
    ) -> BankRows:
        """Returns a copy of the rows held, in the order of their slots.

        Args:
            exclude_ids: Ids to leave out, usually those of the batch, whose rows here are stale.
            max_age: Leave out rows pushed more than this many pushes ago; the latest push has age 1.
            align_scores: Present scores of the items `exclude_ids`. Where at least eight of these are held, their old
                and new scores tell how the model has drifted, as a shift and a change of scale for each push since;
                the rows are moved accordingly, each by its age. A table only.

        Raises:
            ValueError: If `max_age` is less than 1, or `align_scores` comes to a fifo or without ids.
        """
        keep = self.pushed_at >= 0
        if max_age is not None:
            if max_age < 1:
                raise ValueError(f"max_age must be at least 1, got {max_age}")
            keep &= self.step - self.pushed_at <= max_age
        if exclude_ids is not None:
            if self.kind == "table":
                self._check_range(exclude_ids)
                keep[exclude_ids] = False
            else:
                keep &= ~torch.isin(self.ids, exclude_ids)
        scores = self.scores[keep] if align_scores is None else self._aligned(exclude_ids, align_scores)[keep]
        return BankRows(scores, self.targets[keep], self.target_std[keep], self.score_std[keep])

    def clear(self) -> None:
        """Empties the bank, as at a change of phase; its steps start again from 0."""
        for column in (self.scores, self.targets, self.step, self.cursor, self.count):
            column.zero_()
        for column in (self.target_std, self.score_std):
            column.fill_(torch.nan)
        for column in (self.ids, self.pushed_at):
            column.fill_(-1)

    def extra_repr(self) -> str:
        return f"capacity={self.capacity}, kind={self.kind!r}, count={self.count.item()}"

    def _aligned(self, ids: Tensor | None, scores: Tensor) -> Tensor:
        if self.kind != "table" or ids is None or ids.shape != scores.shape:
            raise ValueError(
                f"alignment needs a table and one id a score; got a {self.kind},"
                f" {'no' if ids is None else ids.shape[0]} ids and {scores.shape[0]} scores"
            )
        revisited = self.pushed_at[ids] >= 0
        old, new = self.scores[ids[revisited]].double(), scores.detach()[revisited].double()
        if old.shape[0] < _FEWEST_REVISITED:
            return self.scores
        age = (self.step - self.pushed_at).double()
        unit, centre = age[ids[revisited]].mean(), old.mean()
        scale = (old - centre).abs().max().clamp(min=torch.finfo(old.dtype).tiny)

        def terms(age: Tensor, score: Tensor) -> Tensor:
            return age[:, None] / unit * torch.stack([torch.ones_like(score), (score - centre) / scale], dim=1)

        # Least squares for new - old = age (shift + slope old); the pseudo-inverse copes with equal scores.
        drift = torch.linalg.pinv(terms(age[ids[revisited]], old)) @ (new - old)
        moved = self.scores.double() + terms(age, self.scores.double()) @ drift
        limit = torch.finfo(self.scores.dtype).max
        return moved.clamp(-limit, limit).to(self.scores.dtype)

    def _check_ids(self, ids: Tensor, num_rows: int) -> None:
        if not isinstance(ids, Tensor) or ids.is_floating_point() or ids.dtype == torch.bool:
            raise TypeError(f"ids must be an integer tensor, got {getattr(ids, 'dtype', type(ids).__name__)}")
        if ids.shape != (num_rows,):
            raise ValueError(f"ids and scores must have one length, got shapes {tuple(ids.shape)} and ({num_rows},)")
        if ids.device != self.ids.device:
            raise ValueError(f"ids are on {ids.device}, the bank on {self.ids.device}; move one of them")
        ordered = ids.sort().values
        repeated = ordered[1:][ordered[1:] == ordered[:-1]]
        if len(repeated):
            raise ValueError(f"ids must not repeat in one push: id {repeated[0].item()} comes more than once")
        self._check_range(ids)

    def _check_range(self, ids: Tensor) -> None:
        limit = self.capacity if self.kind == "table" else torch.iinfo(torch.int64).max
        low, high = (x.item() for x in ids.aminmax()) if ids.numel() else (0, 0)
        if not (low >= 0 and high < limit):
            raise ValueError(
                f"ids must lie in 0..{limit - 1} for a {self.kind} of {self.capacity} slots, got {low}..{high}"
            )

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        saved_scores, saved_kind = state_dict.get(f"{prefix}scores"), state_dict.get(f"{prefix}kind_code")
        if saved_scores is not None and saved_kind is not None:
            saved = f"a {_KINDS[int(saved_kind)]} of {saved_scores.shape[0]} slots"
            own = f"a {self.kind} of {self.capacity} slots"
            if saved != own:
                raise ValueError(f"the saved bank is {saved}, this one {own}; build the bank as it was when saved")
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
