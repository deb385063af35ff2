"""How well raters agree, from their raw votes: what no model can be expected to surpass."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from rankqa_datasets.errors import InputError
from shared_engine.criteria import srocc

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Votes:
    """Raw votes (N, R) of R raters on N stimuli, NaN where a rater did not see a stimulus; ids in row order."""

    ids: tuple[str, ...]
    values: Array


@dataclass(frozen=True, kw_only=True)
class RaterCeiling:
    """Agreement of the raters on one set of stimuli.

    Attributes:
        stimuli: how many.
        without_votes: published stimuli that the votes do not name; they are left out.
        raters: how many columns of votes.
        fewest_votes: on any stimulus.
        halves: random divisions of the raters into two halves.
        split_half: mean over the divisions of the SROCC between the mean votes of both halves.
        split_half_std: standard deviation (n - 1) over the divisions.
        spearman_brown: what `split_half` comes to for all raters, 2 r / (1 + r): the agreement of their mean with that
            of as many others. Spearman and Brown, British Journal of Psychology 3 (1910).
        one_rater: SROCC of one rater with the mean of the others, as mean over raters.
        sem: median over stimuli of the standard error of the mean vote, in units of the votes.
        close_pairs: share of all pairs of stimuli whose means differ by less than 2 sqrt(2) times `sem`, which the
            votes do not tell apart.
    """

    stimuli: int
    without_votes: int
    raters: int
    fewest_votes: int
    halves: int
    split_half: float
    split_half_std: float
    spearman_brown: float
    one_rater: float
    sem: float
    close_pairs: float


def read_votes(path: str | Path) -> Votes:
    """The votes in a CSV whose first column names the stimuli and whose others are raters; an empty cell is no vote.

    Raises:
        InputError: not such a CSV, a cell that is no number, or a stimulus that comes twice.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            header, *rows = [row for row in csv.reader(file, strict=True) if any(row)] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read the votes {path}: {error}") from None
    if len(header) < 3:
        raise InputError(f"{path}: expected a column of names and one for each of at least 2 raters, got {header}")
    values = np.full((len(rows), len(header) - 1), np.nan)
    first: dict[str, int] = {}
    for i, (name, *cells) in enumerate(rows):
        if first.setdefault(name, i) != i:
            raise InputError(f"{path}: '{name}' comes twice")
        if len(cells) != len(header) - 1:
            raise InputError(f"{path}: '{name}' has {len(cells)} votes, expected {len(header) - 1} as in the header")
        for j, cell in enumerate(cells):
            try:
                values[i, j] = float(cell) if cell.strip() else np.nan
            except ValueError:
                values[i, j] = np.inf
            if np.isinf(values[i, j]):
                raise InputError(f"{path}: the vote of '{header[j + 1]}' on '{name}' is no number: '{cell}'")
    return Votes(tuple(row[0] for row in rows), values)


def rater_ceiling(
    votes: Votes, *, targets: Mapping[str, float] | None = None, halves: int = 100, seed: int = 0
) -> RaterCeiling:
    """Split-half agreement, one rater against the rest, and what the votes do not tell apart.

    Args:
        votes: raw votes, at least two on each stimulus that counts.
        targets: published scores by id, on the scale of the votes but for an offset: only these stimuli count (those
            without votes apart), and `close_pairs` is of their published scores. By default all stimuli and their mean
            votes.
        halves: random divisions of the raters; of an odd number one half has one more.
        seed: of the divisions.

    Raises:
        InputError: fewer than three stimuli or two raters, a stimulus with a single vote, or votes without spread.
    """
    rows = [i for i, name in enumerate(votes.ids) if targets is None or name in targets]
    if targets is not None and not rows:
        raise InputError(f"no votes on any of {len(targets)} published stimuli, such as '{min(targets)}'")
    values = votes.values[rows]
    values = values[:, ~np.isnan(values).all(axis=0)]
    if len(rows) < 3 or values.shape[1] < 2:
        raise InputError(f"expected at least 3 stimuli and 2 raters, got {len(rows)} and {values.shape[1]}")
    counts = np.sum(~np.isnan(values), axis=1)
    if counts.min() < 2:
        few = int(counts.argmin())
        raise InputError(f"'{votes.ids[rows[few]]}' has {counts[few]} vote(s), expected at least 2 on each stimulus")
    means = np.nanmean(values, axis=1)
    published = means if targets is None else np.array([targets[votes.ids[i]] for i in rows])
    if np.ptp(means) == 0:
        raise InputError("all stimuli have the same mean vote: there is nothing to agree on")
    sem = float(np.median(stats.sem(values, axis=1, nan_policy="omit")))
    between = _split_halves(values, halves, np.random.default_rng(seed))
    half = float(np.mean(between))
    return RaterCeiling(
        stimuli=len(rows),
        without_votes=0 if targets is None else len(targets) - len(rows),
        raters=values.shape[1],
        fewest_votes=int(counts.min()),
        halves=halves,
        split_half=half,
        split_half_std=float(np.std(between, ddof=1)) if len(between) > 1 else 0.0,
        spearman_brown=2 * half / (1 + half),
        one_rater=_one_against_the_rest(values),
        sem=sem,
        close_pairs=_share_closer_than(published, 2 * np.sqrt(2) * sem),
    )


def _split_halves(values: Array, halves: int, rng: np.random.Generator) -> list[float]:
    """SROCC between the mean votes of two random halves; a stimulus that a half did not see is left out of it."""
    found = []
    for _ in range(halves):
        order = rng.permutation(values.shape[1])
        middle = len(order) // 2
        agreement = _srocc_where_known(_means(values[:, order[:middle]]), _means(values[:, order[middle:]]))
        found += [] if agreement is None else [agreement]
    if not found:
        raise InputError("no half of the raters orders the stimuli: their votes have no spread")
    return found


def _one_against_the_rest(values: Array) -> float:
    """Mean SROCC over the raters whose votes have a spread."""
    columns = range(values.shape[1])
    found = [_srocc_where_known(values[:, j], _means(np.delete(values, j, axis=1))) for j in columns]
    return float(np.mean([value for value in found if value is not None]))


def _means(values: Array) -> Array:
    """Mean vote of each stimulus (N,), NaN where there is none."""
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)


def _srocc_where_known(x: Array, y: Array) -> float | None:
    known = ~(np.isnan(x) | np.isnan(y))
    return srocc(x[known], y[known]) if known.sum() > 1 else None


def _share_closer_than(values: Array, distance: float) -> float:
    """Share of the pairs that differ by less than `distance`."""
    ordered = np.sort(values)
    # Of each value, the later ones that are near enough.
    near = np.searchsorted(ordered, ordered + distance, side="left") - np.arange(len(ordered)) - 1
    # Rounding of a distance of 0 must not count a value itself as missing.
    return float(np.maximum(near, 0).sum() / (len(ordered) * (len(ordered) - 1) / 2))
