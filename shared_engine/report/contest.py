"""The answer: which value of an axis is best, by how much, and how sure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from shared_engine.holm import holm
from shared_engine.report.estimate import (
    Block,
    Estimate,
    block_of,
    estimate,
    estimate_on_contents,
    pool,
    split_ratio,
)
from shared_engine.report.evidence import Evidence, Outcome

LEVEL = 0.05
POOLED = "pooled"


@dataclass(frozen=True)
class Duel:
    """A pair of candidates: the first less the second on what both have; `p` after Holm over all pairs."""

    difference: Estimate
    p: float | None

    @property
    def shown(self) -> bool:
        """Whether a difference is shown."""
        return self.p is not None and self.p < LEVEL


@dataclass(frozen=True)
class Candidate:
    """A value of the axis.

    Attributes:
        name: the value.
        score: mean SROCC on the blocks that all candidates have.
        rank: mean rank there, 1 the best.
        runs: how many of its runs count.
        undefined: in how many more SROCC is not defined.
    """

    name: str
    score: Estimate
    rank: float
    runs: int
    undefined: int


@dataclass(frozen=True)
class Contest:
    """Candidates from best to worst, and all pairs.

    Attributes:
        axis: whose values they are.
        group: where; `POOLED` over all groups.
        candidates: at least one.
        duels: (better, worse) names -> their difference; a pair that shares no block is missing.
        shared: number of blocks that all candidates have; 0 where means are over each one's own runs.
    """

    axis: str
    group: str
    candidates: tuple[Candidate, ...]
    duels: Mapping[tuple[str, str], Duel]
    shared: int

    @property
    def best(self) -> Candidate:
        """The one with the largest mean."""
        return self.candidates[0]

    def against_best(self, name: str) -> Duel | None:
        """The best less this one; None for the best itself and where they share nothing."""
        return self.duels.get((self.best.name, name))

    def differ(self, a: str, b: str) -> bool:
        """Whether a difference of two is shown, in either order."""
        duel = self.duels.get((a, b)) or self.duels.get((b, a))
        return duel is not None and duel.shown

    @property
    def level_with_best(self) -> tuple[Candidate, ...]:
        """Those of which no difference to the best is shown."""
        return tuple(one for one in self.candidates[1:] if not self.differ(self.best.name, one.name))


def contests(evidence: Evidence, axis: str) -> list[Contest]:
    """One contest for each group where the axis has a value, and with several groups the pooled one first."""
    ratios = {group: split_ratio([o for o in evidence.outcomes if o.group == group]) for group in evidence.groups}
    fields = {
        group: _field([o for o in evidence.outcomes if o.group == group], axis, ratios[group])
        for group in evidence.groups
    }
    fields = {group: field for group, field in fields.items() if field.blocks}
    found = [_contest(axis, group, [field]) for group, field in fields.items()]
    everywhere = [name for name in evidence.values(axis) if all(name in field.blocks for field in fields.values())]
    if len(fields) > 1 and everywhere:
        found.insert(0, _contest(axis, POOLED, [field.only(everywhere) for field in fields.values()]))
    return found


@dataclass(frozen=True)
class _Field:
    """Candidate -> block -> SROCC, the runs, and how many have none, of one group."""

    blocks: dict[str, dict[Block, float]]
    runs: dict[tuple[str, Block], Outcome]
    undefined: dict[str, int]
    ratio: float

    def only(self, names: Sequence[str]) -> "_Field":
        return _Field({name: self.blocks[name] for name in names}, self.runs, self.undefined, self.ratio)

    @property
    def shared(self) -> list[Block]:
        first, *others = self.blocks.values()
        return [block for block in first if all(block in other for other in others)]


def _field(outcomes: Sequence[Outcome], axis: str, ratio: float) -> _Field:
    blocks: dict[str, dict[Block, float]] = {}
    runs: dict[tuple[str, Block], Outcome] = {}
    undefined: dict[str, int] = {}
    for outcome in outcomes:
        name, value, block = outcome.settings[axis], outcome.summary.get("srocc"), block_of(outcome, axis)
        if value is None:
            undefined[name] = undefined.get(name, 0) + 1
        else:
            blocks.setdefault(name, {})[block] = float(value)
            runs[name, block] = outcome
    return _Field(blocks, runs, undefined, ratio)


def _contest(axis: str, group: str, fields: Sequence[_Field]) -> Contest:
    names = list(fields[0].blocks)
    balanced = all(field.shared for field in fields)
    scores = {name: pool([_score(field, name, balanced) for field in fields]) for name in names}
    ranks = _mean_ranks(fields, names) if balanced else dict.fromkeys(names, math.nan)
    order = sorted(names, key=lambda name: -scores[name].mean)
    pairs = {}
    for a, b in combinations(order, 2):
        differences = [_difference(field, a, b) for field in fields]
        known = [one for one in differences if one is not None]
        if len(known) == len(fields):
            pairs[a, b] = pool(known)
    tested = {pair: one.p for pair, one in pairs.items() if one.p is not None}
    adjusted = dict(zip(tested, holm(list(tested.values())).tolist(), strict=True))
    candidates = tuple(
        Candidate(
            name,
            scores[name],
            ranks[name],
            sum(len(field.blocks[name]) for field in fields),
            sum(field.undefined.get(name, 0) for field in fields),
        )
        for name in order
    )
    duels = {pair: Duel(one, adjusted.get(pair)) for pair, one in pairs.items()}
    return Contest(axis, group, candidates, duels, sum(len(field.shared) for field in fields) if balanced else 0)


def _score(field: _Field, name: str, balanced: bool) -> Estimate:
    values = field.blocks[name]
    if balanced:
        values = {block: values[block] for block in field.shared}
    return estimate(values, test_to_train=field.ratio)


def _difference(field: _Field, a: str, b: str) -> Estimate | None:
    of_a, of_b = field.blocks[a], field.blocks[b]
    common = {block: of_a[block] - of_b[block] for block in of_a if block in of_b}
    if not common:
        return None
    if len(common) == 1:
        (block,) = common
        return estimate_on_contents(field.runs[a, block], field.runs[b, block]) or estimate(common, test_to_train=0.0)
    return estimate(common, test_to_train=field.ratio)


def _mean_ranks(fields: Sequence[_Field], names: Sequence[str]) -> dict[str, float]:
    """Each group has the same weight."""
    of_fields = []
    for field in fields:
        values = np.array([[field.blocks[name][block] for name in names] for block in field.shared])
        of_fields.append(stats.rankdata(-values, axis=1).mean(axis=0))
    return dict(zip(names, np.mean(of_fields, axis=0).tolist(), strict=True))
