"""What training minimises: a weighted sum of named losses, with their bank."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from shared_losses.autocast import without_autocast
from shared_losses.distributed import GatheredRows, gather_rows
from shared_losses.functional import mae_loss, mse_loss, norm_in_norm_loss, plcc_loss, spearman_loss
from shared_losses.gradient_scale import scale_gradient
from shared_losses.rows import check_finite
from shared_losses.score_bank import ScoreBank
from shared_losses.shapes import BatchFloats, BatchInts, Number, ScalarFloat

LOSSES: dict[str, Callable[..., Tensor]] = {
    "spearman": spearman_loss,
    "plcc": plcc_loss,
    "norm_in_norm": norm_in_norm_loss,
    "mse": mse_loss,
    "mae": mae_loss,
}

_SHARED = {"scores", "targets", "bank_scores", "bank_targets", "target_std"}


@dataclass(frozen=True)
class Term:
    """One loss in the sum.

    Attributes:
        name: Key of `LOSSES`.
        weight: Factor in the sum, finite, not negative.
        use_bank: Whether the loss sees the rows of the score bank.
        options: Keyword options of the loss.
    """

    name: str
    weight: Number = 1.0
    use_bank: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


class Objective(nn.Module):
    """Weighted sum of named losses over the batches of all processes, with one score bank.

    Each process takes the exact gradient for its own rows; rows of the other processes in this step count as bank
    rows for every term, stored rows for the terms that ask for them, less the stale rows of items in this step. The
    gradients are scaled such that their mean over processes, as DistributedDataParallel takes it, is that of one
    process with the joined batch, whether or not the batches are of one length.

    Several calls may precede one `push` (gradient accumulation): their rows are stored together, each id once, with
    its latest score. In evaluation mode nothing is remembered, and the bank is read as it stands.

    Args:
        terms: The losses to add up, at least one.
        bank: Where rows are kept; needed if a term has `use_bank`.
        target_location: Mean of the training targets, handed to losses that standardise targets.
        target_scale: Standard deviation of the training targets, likewise.
        max_age: Leave out bank rows older than this many pushes.

    Raises:
        ValueError: If a loss or option is unknown (with the closest match), an option value or weight is not valid,
            or a term wants a bank and none is given.
    """

    def __init__(
        self,
        terms: Sequence[Term],
        bank: ScoreBank | None = None,
        *,
        target_location: Number | None = None,
        target_scale: Number | None = None,
        max_age: int | None = None,
    ) -> None:
        super().__init__()
        if not terms:
            raise ValueError(f"an objective needs at least one term; the losses are {', '.join(LOSSES)}")
        standard = {"location": target_location, "scale": target_scale}
        self.terms = dict(zip(_labels(terms), terms, strict=True))
        self.options = {label: _checked_options(term, standard) for label, term in self.terms.items()}
        asking = [label for label, term in self.terms.items() if term.use_bank]
        if asking and bank is None:
            raise ValueError(f"terms {', '.join(asking)} use the bank, but the objective has none; pass a ScoreBank")
        self.bank = bank
        self.max_age = max_age
        self._remembered: list[GatheredRows] = []

    @without_autocast
    def forward(
        self,
        scores: BatchFloats,
        targets: BatchFloats,
        *,
        ids: BatchInts | None = None,
        target_std: BatchFloats | None = None,
    ) -> tuple[ScalarFloat, dict[str, Tensor]]:
        """Computes the sum and its terms for one batch.

        Args:
            scores: Model outputs of this process, higher is better.
            targets: Their targets.
            ids: Their item ids; needed with a table bank.
            target_std: Spread of the opinions behind the targets, NaN where unknown.

        Returns:
            The weighted sum, and each term's own detached value, unweighted, by name (a second term of a name is
            called name_2).

        Raises:
            TypeError: If a tensor is missing or not floating.
            ValueError: If shapes, devices, ids or values are not valid, as in the losses and `ScoreBank.push`.
        """
        if self.bank is not None and self.bank.kind == "table" and ids is None:
            raise ValueError(f"a table bank of {self.bank.capacity} slots needs the ids of the batch; got none")
        rows = gather_rows(scores, targets, ids=ids, target_std=target_std)
        # On the gathered rows, so that all processes raise together.
        check_finite("scores", rows.scores)
        check_finite("targets", rows.targets)
        before, after = slice(0, rows.own.start), slice(rows.own.stop, None)
        others = [torch.cat([column[before], column[after]]) for column in (rows.scores, rows.targets)]
        stored = others
        if self.bank is not None and any(term.use_bank for term in self.terms.values()):
            held = self.bank.view(exclude_ids=rows.ids, max_age=self.max_age)
            stored = [torch.cat([near, far]) for near, far in zip(others, held, strict=False)]
        share = scores.shape[0] * rows.world_size / rows.scores.shape[0]
        if share != 1:
            scores = scale_gradient(scores, share)
        values = {}
        for label, term in self.terms.items():
            bank_scores, bank_targets = stored if term.use_bank else others
            values[label] = LOSSES[term.name](
                scores,
                targets,
                bank_scores=bank_scores,
                bank_targets=bank_targets,
                target_std=target_std,
                **self.options[label],
            )
        if self.training and self.bank is not None:
            self._remembered.append(rows)
        total = torch.stack([term.weight * values[label] for label, term in self.terms.items()]).sum()
        return total, {label: value.detach() for label, value in values.items()}

    def push(self) -> None:
        """Stores the rows of all calls since the last push in the bank, as one step. Call it once an optimiser step."""
        if self.bank is not None and self._remembered:
            batches, self._remembered = self._remembered, []
            scores, targets, target_std = (
                torch.cat([getattr(batch, name) for batch in batches]) for name in ("scores", "targets", "target_std")
            )
            ids = [batch.ids for batch in batches if batch.ids is not None]
            known = torch.cat(ids) if len(ids) == len(batches) else None
            if known is not None:
                latest = _last_of_each(known)
                scores, targets, target_std, known = (x[latest] for x in (scores, targets, target_std, known))
            self.bank.push(scores, targets, known, target_std=target_std)


def describe_losses() -> dict[str, str]:
    """Returns name and one-line description of every loss."""
    return {name: (inspect.getdoc(function) or "").split("\n")[0] for name, function in LOSSES.items()}


def _labels(terms: Sequence[Term]) -> list[str]:
    names = [term.name for term in terms]
    seen = [names[: index + 1].count(name) for index, name in enumerate(names)]
    return [name if nth == 1 else f"{name}_{nth}" for name, nth in zip(names, seen, strict=True)]


def _checked_options(term: Term, standard: Mapping[str, float | None]) -> dict[str, Any]:
    if term.name not in LOSSES:
        raise ValueError(f"unknown loss {term.name!r}{_closest(term.name, LOSSES)}; the losses are {', '.join(LOSSES)}")
    if not 0 <= term.weight < math.inf:
        raise ValueError(f"the weight of {term.name} must be finite and not negative, got {term.weight}")
    function = LOSSES[term.name]
    known = [name for name in inspect.signature(function).parameters if name not in _SHARED]
    for option in term.options:
        if option not in known:
            hint = _closest(option, known)
            raise ValueError(f"unknown option {option!r} of {term.name}{hint}; its options are {', '.join(known)}")
    options = {name: value for name, value in standard.items() if name in known and value is not None}
    options.update(term.options)
    try:
        function(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0]), **options)
    except (TypeError, ValueError) as error:
        raise ValueError(f"options of {term.name}: {error}") from error
    return options


def _closest(word: str, known: Any) -> str:
    match = difflib.get_close_matches(word, list(known), n=1)
    return f", closest is {match[0]!r}" if match else ""


def _last_of_each(ids: Tensor) -> Tensor:
    """Positions of the last row of each id, ascending."""
    ordered, order = torch.sort(ids, stable=True)
    last = torch.ones_like(ordered, dtype=torch.bool)
    last[:-1] = ordered[1:] != ordered[:-1]
    return order[last].sort().values
