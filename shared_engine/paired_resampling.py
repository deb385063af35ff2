"""How far the difference of two models is chance of the stimuli: a bootstrap for its interval, swaps for its p.

Both resample whole contents, since stimuli of a content are dependent, and give all runs of a comparison the same
contents, since runs share them. With one content in all, stimuli are resampled.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from shared_engine.intervals import draw_weights, weighted_midranks, weighted_plcc
from shared_engine.score_mapping import fit_mapping

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PairedScores:
    """Scores of two models on the same stimuli.

    Attributes:
        a: (N,) scores of the first, not constant, higher is better.
        b: (N,) of the second.
        targets: (N,) not constant.
        group_of: (N,) number of the content of each stimulus, from 0; the same content has the same number in all
            runs of a comparison.
        groups: number of contents of all runs.
    """

    a: Array
    b: Array
    targets: Array
    group_of: NDArray[np.intp]
    groups: int

    @cached_property
    def mapped(self) -> tuple[Array, Array]:
        """The scores on the scale of the targets, where PLCC and RMSE are taken."""
        return fit_mapping(self.a, self.targets)(self.a), fit_mapping(self.b, self.targets)(self.b)

    @cached_property
    def ranks(self) -> tuple[Array, Array, Array]:
        """Midranks of both scores and of the targets."""
        return stats.rankdata(self.a), stats.rankdata(self.b), stats.rankdata(self.targets)

    def sums(self, values: Array) -> Array:
        """(C,) sum of the values (N,) within each content."""
        return np.asarray(np.bincount(self.group_of, values, self.groups), np.float64)


def bootstrap_differences(runs: Sequence[PairedScores], *, resamples: int = 2000, seed: int = 0) -> dict[str, Array]:
    """(R,) difference of each criterion, first less second, mean over the runs, in resamples of contents.

    The mapping before PLCC and RMSE is kept. A run without a defined value in a resample is left out of its mean; NaN
    where all are.
    """
    groups = np.arange(runs[0].groups)
    weights = draw_weights(groups, resamples, np.random.default_rng(seed))
    return {name: _mean([resampled(run, weights) for run in runs]) for name, resampled in BOOTSTRAPS.items()}


def swap_differences(runs: Sequence[PairedScores], *, resamples: int = 2000, seed: int = 0) -> dict[str, Array]:
    """(R,) difference of each criterion where the models are exchanged on a random half of the contents.

    For models of equal quality all exchanges are equally likely. What is exchanged must be on one scale: midranks for
    SROCC and KROCC, mapped scores for PLCC and RMSE. All exchanges are taken where there are no more than `resamples`;
    the first is always none, the observed difference.
    """
    groups = runs[0].groups
    if 2**groups <= resamples:
        swapped = np.array(list(product([0.0, 1.0], repeat=groups)))
    else:
        swapped = np.random.default_rng(seed).integers(0, 2, (resamples, groups)).astype(np.float64)
        swapped[0] = 0
    return {name: _mean([exchanged(run, swapped) for run in runs]) for name, exchanged in SWAPS.items()}


def swap_p(differences: Array) -> float:
    """Two-sided p: the share of the exchanges (R,), the first of which is none, that differ at least as much."""
    observed = abs(differences[0])
    # Equal differences come out of different sums.
    return float(np.mean(np.abs(differences[np.isfinite(differences)]) >= observed - 1e-9 * max(observed, 1e-3)))


def _mean(of_runs: Sequence[Array]) -> Array:
    values = np.array(of_runs)
    known = np.isfinite(values)
    count = known.sum(axis=0)
    return np.divide(np.where(known, values, 0).sum(axis=0), count, out=np.full(len(count), np.nan), where=count > 0)


def _bootstrap_srocc(run: PairedScores, weights: Array) -> Array:
    weights = weights[:, run.group_of]
    targets = weighted_midranks(run.targets, weights)
    a, b = (weighted_plcc(weighted_midranks(scores, weights), targets, weights) for scores in (run.a, run.b))
    return a - b


def _bootstrap_plcc(run: PairedScores, weights: Array) -> Array:
    weights = weights[:, run.group_of]
    a, b = (weighted_plcc(scores, run.targets, weights) for scores in run.mapped)
    return a - b


def _bootstrap_rmse(run: PairedScores, weights: Array) -> Array:
    a, b = (run.sums((scores - run.targets) ** 2) for scores in run.mapped)
    count = weights @ run.sums(np.ones(len(run.a)))
    count[count == 0] = np.nan
    return np.sqrt(weights @ a / count) - np.sqrt(weights @ b / count)


def _bootstrap_krocc(run: PairedScores, weights: Array) -> Array:
    a, b, t = run.ranks
    untied_t = _quadratic(weights, _pair_sums(t, t, t, run).untied)
    of_a, of_b = _pair_sums(a, a, t, run), _pair_sums(b, b, t, run)
    return _tau(_quadratic(weights, of_a.agreement), _quadratic(weights, of_a.untied), untied_t) - _tau(
        _quadratic(weights, of_b.agreement), _quadratic(weights, of_b.untied), untied_t
    )


def _swap_plcc(a: Array, b: Array, targets: Array, run: PairedScores, swapped: Array) -> Array:
    """Correlations depend on the exchanged scores through sums over contents alone."""
    n = len(a)
    center = (a.mean() + b.mean()) / 2  # so that the sums of squares keep their digits
    a, b, targets = a - center, b - center, targets - targets.mean()
    found = []
    for own, other in ((a, b), (b, a)):
        x, xx, xt = (
            own_sums.sum() + swapped @ (other_sums - own_sums)
            for own_sums, other_sums in (
                (run.sums(own), run.sums(other)),
                (run.sums(own**2), run.sums(other**2)),
                (run.sums(own * targets), run.sums(other * targets)),
            )
        )
        spread = np.sqrt(np.maximum(xx - x**2 / n, 0) * np.sum(targets**2))
        found.append(np.divide(xt, spread, out=np.full(len(swapped), np.nan), where=spread > 0))
    return found[0] - found[1]


def _swap_srocc(run: PairedScores, swapped: Array) -> Array:
    return _swap_plcc(*run.ranks, run, swapped)


def _swap_plcc_mapped(run: PairedScores, swapped: Array) -> Array:
    return _swap_plcc(*run.mapped, run.targets, run, swapped)


def _swap_rmse(run: PairedScores, swapped: Array) -> Array:
    a, b = (run.sums((scores - run.targets) ** 2) for scores in run.mapped)
    moved = swapped @ (b - a)
    first, second = (np.sqrt(np.maximum(total, 0) / len(run.a)) for total in (a.sum() + moved, b.sum() - moved))
    return first - second


def _swap_krocc(run: PairedScores, swapped: Array) -> Array:
    """With v = 1 where contents are exchanged, (1-v)'Aa(1-v) + 2 (1-v)'Ab v + v'Bb v, for agreement and ties."""
    a, b, t = run.ranks
    of_a, of_b, between = _pair_sums(a, a, t, run), _pair_sums(b, b, t, run), _pair_sums(a, b, t, run)
    untied_t = np.full(len(swapped), np.sum(_pair_sums(t, t, t, run).untied))
    sides = []
    for aa, ab, bb in (
        (of_a.agreement, between.agreement, of_b.agreement),
        (of_a.untied, between.untied, of_b.untied),
    ):
        quadratic = _quadratic(swapped, aa - 2 * ab + bb)
        sides.append(
            (
                aa.sum() + 2 * swapped @ (ab.sum(axis=0) - aa.sum(axis=1)) + quadratic,
                bb.sum() + 2 * swapped @ (ab.sum(axis=1) - bb.sum(axis=1)) + quadratic,
            )
        )
    (agreement_a, agreement_b), (untied_a, untied_b) = sides
    return _tau(agreement_a, untied_a, untied_t) - _tau(agreement_b, untied_b, untied_t)


@dataclass(frozen=True)
class _PairSums:
    """(C, C) sums over pairs of stimuli of two contents: of sign(x_i - y_j) sign(t_i - t_j) and |sign(x_i - y_j)|."""

    agreement: Array
    untied: Array


def _pair_sums(x: Array, y: Array, targets: Array, run: PairedScores) -> _PairSums:
    agreement, untied = np.zeros((2, run.groups, run.groups))
    order = np.argsort(run.group_of, kind="stable")
    codes, starts = np.unique(run.group_of[order], return_index=True)
    for rows in np.array_split(np.arange(len(x)), 1 + len(x) // 1000):
        sign = np.sign(x[rows, None] - y[order])
        for total, values in (
            (agreement, sign * np.sign(targets[rows, None] - targets[order])),
            (untied, np.abs(sign)),
        ):
            by_content = np.zeros((len(rows), run.groups))
            by_content[:, codes] = np.add.reduceat(values, starts, axis=1)
            np.add.at(total, run.group_of[rows], by_content)
    return _PairSums(agreement, untied)


def _quadratic(rows: Array, matrix: Array) -> Array:
    """(R,) row' matrix row."""
    return np.sum((rows @ matrix) * rows, axis=1)


def _tau(agreement: Array, untied_x: Array, untied_y: Array) -> Array:
    """Kendall's tau-b; NaN where a side is constant."""
    defined = (untied_x > 0) & (untied_y > 0)
    return np.divide(
        agreement, np.sqrt(untied_x) * np.sqrt(untied_y), out=np.full(len(agreement), np.nan), where=defined
    )


Differences = Callable[[PairedScores, Array], Array]
BOOTSTRAPS: dict[str, Differences] = {
    "srocc": _bootstrap_srocc,
    "plcc_mapped": _bootstrap_plcc,
    "krocc": _bootstrap_krocc,
    "rmse": _bootstrap_rmse,
}
SWAPS: dict[str, Differences] = {
    "srocc": _swap_srocc,
    "plcc_mapped": _swap_plcc_mapped,
    "krocc": _swap_krocc,
    "rmse": _swap_rmse,
}
