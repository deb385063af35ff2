"""What training minimises: a weighted sum of named losses, with their bank."""

from __future__ import annotations

import difflib
import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from shared_losses.autocast import without_autocast
from shared_losses.distributed import GatheredRows, gather_rows
from shared_losses.gradient_scale import scale_gradient
from shared_losses.loss_table import LOSSES
from shared_losses.row_inputs import ROW_INPUTS
from shared_losses.rows import check_finite, loss_dtype
from shared_losses.score_bank import BankRows, ScoreBank
from shared_losses.shapes import BatchFloats, BatchInts, Number, ScalarFloat


@dataclass(frozen=True)
class Term:
    """One loss in the sum.

    Attributes:
        name: Key of `LOSSES`.
        weight: Factor in the sum, finite, not negative.
        use_bank: Whether the loss sees the rows of the score bank.
        options: Keyword options of the loss.
        output: What the loss takes as scores: "scores", or another output of the model, one value an item, as of a head
            of its own. The bank holds "scores" alone. For a loss of classes the output with their logits, by default
            "class_logits".
    """

    name: str
    weight: Number = 1.0
    use_bank: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    output: str = "scores"


class Objective(nn.Module):
    """Weighted sum of named losses over the batches of all processes, with a score bank for each database.

    Each process takes the exact gradient for its own rows; rows of the other processes in this step count as bank
    rows for every term, stored rows for the terms that ask for them, less the stale rows of items in this step. The
    gradients are scaled such that their mean over processes, as DistributedDataParallel takes it, is that of one
    process with the joined batch, whether or not the batches are of one length.

    Rows of different databases never meet: each database has its own bank and its own value of every term; the values
    are averaged with the databases' shares of the joined batch. With `grouped` the same holds for any groups of rows
    (the levels of one distortion of one photograph), as many as come, without banks and without names.

    Several calls may precede one `push` (gradient accumulation), and an id may come several times (crops): the rows
    are stored together, each id once, with the mean of its scores. In evaluation mode nothing is remembered, and the
    banks are read as they stand.

    Args:
        terms: The losses to add up, at least one.
        bank: Where rows are kept; needed if a term has `use_bank`. With several databases one for each, by name.
        databases: Names of the databases, where rows of several are mixed. Default: the names of the banks.
        classes: Names of the classes that the rows' `classes` number, so that a head with fewer outputs is refused.
        grouped: Whether `databases` in `forward` are groups without name or bank.
        target_location: Mean of the training targets, handed to losses that standardise targets.
        target_scale: Standard deviation of the training targets, likewise.
        max_age: Leave out bank rows older than this many pushes.
        warmup: Fill of the bank, in (0, 1], from which terms that use it have their full weight. Before, the weight
            grows in proportion to the fill, this batch included.
        align: Move stored scores by the drift that the items of this batch show (`ScoreBank.view`).

    Raises:
        ValueError: If a loss or option is unknown (with the closest match), an option value or weight is not valid,
            a term wants a bank and none is given, or the banks' names are not those of the databases.
    """

    def __init__(
        self,
        terms: Sequence[Term],
        bank: ScoreBank | Mapping[str, ScoreBank] | None = None,
        *,
        databases: Sequence[str] | None = None,
        classes: Sequence[str] = (),
        grouped: bool = False,
        target_location: Number | None = None,
        target_scale: Number | None = None,
        max_age: int | None = None,
        warmup: Number | None = None,
        align: bool = False,
    ) -> None:
        super().__init__()
        if not terms:
            raise ValueError(f"an objective needs at least one term; the losses are {', '.join(LOSSES)}")
        standard = {"location": target_location, "scale": target_scale}
        self.terms = dict(zip(_labels(terms), terms, strict=True))
        self.options = {label: _checked_options(term, standard) for label, term in self.terms.items()}
        self.classes = tuple(classes)
        self._logits_of = {
            label: "class_logits" if term.output == "scores" else term.output
            for label, term in self.terms.items()
            if "classes" in _parameters(LOSSES[term.name])
        }
        banks = dict(bank) if isinstance(bank, Mapping) else {} if bank is None else {"": bank}
        self.databases = tuple(databases or (banks if isinstance(bank, Mapping) else ()))
        if grouped and (banks or self.databases):
            raise ValueError("grouped rows have neither banks nor named databases; leave bank and databases out")
        if banks and tuple(banks) != (self.databases or ("",)):
            raise ValueError(
                "each database has its own bank: pass banks by name for"
                f" {', '.join(self.databases)}, got {', '.join(map(repr, banks))}"
            )
        for label, term in self.terms.items():
            if term.output != "scores" and term.use_bank:
                raise ValueError(
                    f"term {label} takes {term.output!r}, but the bank holds scores alone; leave use_bank out"
                )
        asking = [label for label, term in self.terms.items() if term.use_bank]
        if asking and not banks:
            raise ValueError(f"terms {', '.join(asking)} use the bank, but the objective has none; pass a ScoreBank")
        if warmup is not None and not 0 < warmup <= 1:
            raise ValueError(f"warmup must lie in (0, 1] (fill of the bank), got {warmup}")
        if max_age is not None and max_age < 1:
            raise ValueError(f"max_age must be at least 1, got {max_age}")
        if align and any(one.kind != "table" for one in banks.values()):
            raise ValueError("align needs a table bank: a fifo does not know which items come again")
        self.banks = nn.ModuleList(banks.values())
        self.grouped, self.max_age, self.warmup, self.align = grouped, max_age, warmup, align
        self._remembered: list[GatheredRows] = []

    @without_autocast
    def forward(
        self,
        scores: BatchFloats,
        targets: BatchFloats,
        *,
        ids: BatchInts | None = None,
        target_std: BatchFloats | None = None,
        databases: BatchInts | None = None,
        outputs: Mapping[str, Tensor] | None = None,
    ) -> tuple[ScalarFloat, dict[str, Tensor]]:
        """Computes the sum and its terms for one batch.

        Args:
            scores: Model outputs of this process, higher is better.
            targets: Their targets.
            ids: Their item ids, within their database; needed with a table bank.
            target_std: Spread of the opinions behind the targets, NaN where unknown.
            databases: Index of each row's database in `self.databases`, needed where there are names; or number of its
                group.
            outputs: What else the model gives or the data hold, one row an item, for the losses that name it:
                `score_std`, `score_distribution`, `target_distribution`, `anchor_embeddings`, `classes`, ...

        Returns:
            The weighted sum, and each term's own detached value, unweighted, by name (a second term of a name is called
            name_2, one of another output name@output); with several databases also "name/database" for those in the
            joined batch.

        Raises:
            TypeError: If a tensor is missing or not floating.
            ValueError: If shapes, devices, ids or values are not valid, as in the losses and `ScoreBank.push`; or, in
                training, if a term has no gradient because the scores were detached.
        """
        outputs = outputs or {}
        heads = self._heads(outputs)
        logits = self._logits(outputs)
        rows = self._gather(scores, targets, ids, target_std, databases, outputs, heads)
        self._check_gathered(rows, heads)
        # Other outputs are no rows of the losses and may have any shape.
        given = {"target_std": target_std, **{name: x for name, x in outputs.items() if name in ROW_INPUTS}}
        used = rows.databases.unique().tolist() if self.databases or self.grouped else [0]
        values: dict[str, Tensor] = {}
        total = torch.zeros((), dtype=torch.float64, device=scores.device)
        for database in used:
            share = (rows.databases == database).double().mean().item()
            parts = self._terms_of(database, rows, {"scores": scores, **heads}, logits, targets, given)
            ramp = self._ramp(database, rows)
            for label, value in parts.items():
                self._check_gradient(label, value)
                weight = self.terms[label].weight * (ramp if self.terms[label].use_bank else 1.0)
                total = total + weight * share * value
                values[label] = values.get(label, 0) + share * value.detach()
                if self.databases:
                    values[f"{label}/{self.databases[database]}"] = value.detach()
        if self.training and len(self.banks):
            self._remembered.append(rows)
        return total.to(loss_dtype(scores)), values

    def push(self) -> None:
        """Stores the rows of all calls since the last push in the bank, as one step. Call it once an optimiser step."""
        batches, self._remembered = self._remembered, []
        for index, bank in enumerate(self._score_banks) if batches else ():
            ids = [batch.ids for batch in batches]
            known = None if any(x is None for x in ids) else torch.cat([x for x in ids if x is not None])
            own = torch.cat([batch.databases for batch in batches]) == index
            columns = [
                torch.cat([getattr(batch, name) for batch in batches])[own]
                for name in ("scores", "targets", "target_std", "score_std")
            ]
            if not bool(own.any()):
                continue
            if known is not None:
                known, columns = _mean_of_each(known[own], columns)
            scores, targets, target_std, score_std = columns
            bank.push(scores, targets, known, target_std=target_std, score_std=score_std)

    def start_phase(self) -> None:
        """Empties the banks, as where another part of the model starts to train: older scores say nothing there."""
        self._remembered = []
        for bank in self._score_banks:
            bank.clear()

    @property
    def needs_classes(self) -> bool:
        """Whether a term learns the classes of items."""
        return bool(self._logits_of)

    @property
    def bank_fill(self) -> dict[str, float]:
        """Fill of the bank, in [0, 1], as "bank_fill"; with several databases as "bank_fill/database" for each."""
        names = [f"bank_fill/{name}" for name in self.databases] or ["bank_fill"]
        return {name: bank.fill for name, bank in zip(names, self._score_banks, strict=False)}

    @property
    def bank_age(self) -> dict[str, float | None]:
        """Mean age of the rows of the bank in optimiser steps, named as for `bank_fill`; None while it is empty."""
        names = [f"bank_age/{name}" for name in self.databases] or ["bank_age"]
        return {name: bank.mean_age for name, bank in zip(names, self._score_banks, strict=False)}

    @property
    def _score_banks(self) -> list[ScoreBank]:
        return [bank for bank in self.banks if isinstance(bank, ScoreBank)]

    def _bank(self, database: int) -> ScoreBank | None:
        return self._score_banks[database] if self.banks else None

    def _gather(
        self,
        scores: Tensor,
        targets: Tensor,
        ids: Tensor | None,
        target_std: Tensor | None,
        databases: Tensor | None,
        outputs: Mapping[str, Tensor],
        heads: Mapping[str, Tensor],
    ) -> GatheredRows:
        table = next((bank for bank in self._score_banks if bank.kind == "table"), None)
        if table is not None and ids is None:
            raise ValueError(f"a table bank of {table.capacity} slots needs the ids of the batch; got none")
        if bool(self.databases or self.grouped) != (databases is not None):
            named = ", ".join(self.databases) or "none"
            raise ValueError(f"the objective's databases are {named}, but the batch came with databases={databases}")
        classes = outputs.get("classes") if self.needs_classes else None
        if classes is not None and classes.shape != scores.shape:
            raise ValueError(
                f"classes and scores must have one length, got shapes {tuple(classes.shape)} and {tuple(scores.shape)}"
            )
        return gather_rows(
            scores,
            targets,
            ids=ids,
            target_std=target_std,
            score_std=outputs.get("score_std"),
            databases=databases,
            extra=[*heads.values(), *(() if classes is None else (classes.double(),))],
        )

    def _heads(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The outputs that terms take in place of scores."""
        wanted = (term.output for label, term in self.terms.items() if label not in self._logits_of)
        return {name: _output(outputs, name) for name in dict.fromkeys(wanted) if name != "scores"}

    def _logits(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The outputs that tell classes."""
        found = {name: _output(outputs, name) for name in dict.fromkeys(self._logits_of.values())}
        for name, logits in found.items():
            width = logits.shape[-1] if logits.ndim else 0
            if width < len(self.classes):
                raise ValueError(
                    f"there are {len(self.classes)} classes ({', '.join(self.classes)}), but the model's {name} tell"
                    f" {width}: give the model as many"
                )
        return found

    def _check_gathered(self, rows: GatheredRows, heads: Mapping[str, Tensor]) -> None:
        # On the gathered rows, so that all processes raise together.
        for name, column in _columns(rows, heads).items():
            check_finite(name, column)
        check_finite("targets", rows.targets)
        low, high = (x.item() for x in rows.databases.aminmax())
        if not self.grouped and not 0 <= low <= high < max(1, len(self.databases)):
            raise ValueError(f"databases must lie in 0..{len(self.databases) - 1}, got {low}..{high}")

    def _terms_of(
        self,
        database: int,
        rows: GatheredRows,
        heads: Mapping[str, Tensor],
        logits: Mapping[str, Tensor],
        targets: Tensor,
        given: Mapping[str, Tensor | None],
    ) -> dict[str, Tensor]:
        """The value of every term for the rows of one database; `heads` are the scores and what other terms take, and
        `logits` what terms of classes take.
        """
        inside = rows.databases == database
        mine = inside[rows.own]
        if not bool(mine.any()):  # another process has rows of it
            nothing = {name: (x * 0).sum(dtype=loss_dtype(x)) for name, x in (*heads.items(), *logits.items())}
            return {label: nothing[self._logits_of.get(label, term.output)] for label, term in self.terms.items()}
        others = inside.clone()
        others[rows.own] = False
        bank = self._bank(database)
        rest = (rows.targets[others], rows.target_std[others], rows.score_std[others])
        near = {name: BankRows(column[others], *rest) for name, column in _columns(rows, heads).items()}
        every = near["scores"]
        if bank is not None and any(term.use_bank for term in self.terms.values()):
            ids = None if rows.ids is None else rows.ids[inside]
            ids, (now,) = (None, (None,)) if ids is None else _mean_of_each(ids, [rows.scores[inside]])
            held = bank.view(exclude_ids=ids, max_age=self.max_age, align_scores=now if self.align else None)
            every = BankRows(*(torch.cat([a, b.to(a.dtype)]) for a, b in zip(every, held, strict=True)))
        part = mine.sum().item() * rows.world_size / inside.sum().item()
        own = {name: None if column is None else column[mine] for name, column in given.items()}
        scores = {name: head[mine] if part == 1 else scale_gradient(head[mine], part) for name, head in heads.items()}
        told = {name: scale_gradient(x[mine], _known_part(rows, inside)) for name, x in logits.items()}
        values = {}
        for label, term in self.terms.items():
            wanted = self._logits_of.get(label)
            head = term.output if wanted is None else "scores"
            seen = own if wanted is None else {**own, "class_logits": told[wanted]}
            bank_rows = every if term.use_bank else near[head]
            values[label] = _call(term.name, scores[head], targets[mine], bank_rows, seen, self.options[label])
        return values

    def _ramp(self, database: int, rows: GatheredRows) -> float:
        bank = self._bank(database)
        if bank is None or self.warmup is None:
            return 1.0
        present = (rows.databases == database).sum().item() / bank.capacity
        return min(1.0, (bank.fill + present) / self.warmup)

    def _check_gradient(self, label: str, value: Tensor) -> None:
        if self.training and torch.is_grad_enabled() and not value.requires_grad:
            raise ValueError(
                f"the loss {label} has no gradient: the scores carry no graph. Pass the model's output itself, neither"
                " detached nor turned into numbers; for a value alone use torch.no_grad() or objective.eval()"
            )


def _output(outputs: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in outputs:
        given = ", ".join(["scores", *outputs])
        raise ValueError(f"a term takes the output {name!r}, but the model gives {given}")
    return outputs[name]


def _columns(rows: GatheredRows, heads: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The gathered scores and what other terms take as scores; classes, the last of `extra`, are not among them."""
    names = [name for name in heads if name != "scores"]
    return {"scores": rows.scores, **dict(zip(names, rows.extra, strict=False))}


def _known_part(rows: GatheredRows, inside: Tensor) -> float:
    """What makes the mean over processes of means over their rows of known class the mean over all such rows."""
    if rows.world_size == 1 or not rows.extra:
        return 1.0
    known = inside & (rows.extra[-1] >= 0)
    return known[rows.own].sum().item() * rows.world_size / max(1, known.sum().item())


def _call(
    name: str, scores: Tensor, targets: Tensor, bank: BankRows, given: Mapping[str, Tensor | None], options: Any
) -> Tensor:
    function = LOSSES[name]
    offered = {
        **given,
        "bank_scores": bank.scores,
        "bank_targets": bank.targets,
        "bank_target_std": bank.target_std,
        "bank_score_std": bank.score_std if given.get("score_std") is not None else None,
    }
    wanted = _parameters(function)
    return function(scores, targets, **{key: value for key, value in offered.items() if key in wanted}, **options)


@functools.cache
def _parameters(function: Callable[..., Tensor]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def _labels(terms: Sequence[Term]) -> list[str]:
    names = [term.name if term.output == "scores" else f"{term.name}@{term.output}" for term in terms]
    seen = [names[: index + 1].count(name) for index, name in enumerate(names)]
    return [name if nth == 1 else f"{name}_{nth}" for name, nth in zip(names, seen, strict=True)]


def _checked_options(term: Term, standard: Mapping[str, Number | None]) -> dict[str, Any]:
    if term.name not in LOSSES:
        raise ValueError(f"unknown loss {term.name!r}{_closest(term.name, LOSSES)}; the losses are {', '.join(LOSSES)}")
    if not 0 <= term.weight < math.inf:
        raise ValueError(f"the weight of {term.name} must be finite and not negative, got {term.weight}")
    function = LOSSES[term.name]
    wanted = _parameters(function)
    known = [name for name in wanted if name not in ROW_INPUTS]
    for option in term.options:
        if option not in known:
            hint = _closest(option, known)
            raise ValueError(f"unknown option {option!r} of {term.name}{hint}; its options are {', '.join(known)}")
    options = {name: value for name, value in standard.items() if name in known and value is not None}
    options.update(term.options)
    try:
        function(**{name: value for name, value in ROW_INPUTS.items() if name in wanted}, **options)
    except (TypeError, ValueError) as error:
        raise ValueError(f"options of {term.name}: {error}") from error
    return options


def _closest(word: str, known: Any) -> str:
    match = difflib.get_close_matches(word, list(known), n=1)
    return f", closest is {match[0]!r}" if match else ""


def _mean_of_each(ids: Tensor, columns: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """The ids, each once, ascending, and the mean of its rows in every column."""
    unique, place, counts = ids.unique(return_inverse=True, return_counts=True)
    if len(unique) == len(ids):
        order = ids.argsort()
        return unique, [column[order] for column in columns]
    means = [torch.zeros(len(unique), dtype=torch.float64, device=ids.device) for _ in columns]
    for mean, column in zip(means, columns, strict=True):
        mean.index_add_(0, place, column.double()).div_(counts)
    return unique, [mean.to(column.dtype) for mean, column in zip(means, columns, strict=True)]
