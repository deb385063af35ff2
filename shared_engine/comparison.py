"""Is one model better than another? Two runs, or two lists of runs paired by seed and split, on the same stimuli."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from rankqa_datasets.errors import InputError
from shared_engine.auc_comparison import grouped_difference, normal_difference
from shared_engine.criteria import Criteria, compute_criteria, plcc
from shared_engine.dependent_correlation import DependentCorrelationTest, meng_test, steiger_test, williams_test
from shared_engine.holm import holm
from shared_engine.intervals import Interval, percentile_interval
from shared_engine.krasula import KINDS, PairClassification, Pairs, classify_pairs, rated_pairs, sum_by_contents
from shared_engine.paired_resampling import PairedScores, bootstrap_differences, swap_differences, swap_p
from shared_engine.paired_runs import Pair, pair_runs
from shared_engine.predictions import FinishedRun, Predictions
from shared_engine.resampled_t_test import ResampledTTest, resampled_t_test

Array = NDArray[np.float64]
CRITERIA = ("srocc", "plcc_mapped", "krocc", "rmse")
LOWER_IS_BETTER = {"rmse"}

# 8 million pairs of stimuli, and as many numbers for each of the values of Krasula et al.
MAX_KRASULA = 4000


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One criterion of both models, as the mean over the runs; None where a value is not defined.

    Attributes:
        criterion: as in result.json, or one of the three of Krasula et al. (shared_engine/krasula.py).
        a: value of the first model.
        b: of the second.
        difference: a - b.
        interval: 95 % interval of the difference over contents: bootstrap; for Krasula's values from their variance.
        p_contents: two-sided, for chance in the stimuli: exchanges of whole contents; for Krasula's values from their
            variance over contents.
        runs: test for chance in training, over splits or over seeds; None for a single run.
        p: the larger of both, so that a small one excludes both.
        p_holm: `p` corrected for all comparisons that were made together.
        p_independent: DeLong's for the first two values of Krasula et al., which takes pairs of stimuli for
            independent. They are not: it is far too small, and stands here for comparison with other reports only.
    """

    criterion: str
    a: float | None
    b: float | None
    difference: float | None = None
    interval: Interval | None = None
    p_contents: float | None = None
    runs: ResampledTTest | None = None
    p: float | None = None
    p_holm: float | None = None
    p_independent: float | None = None

    @property
    def better(self) -> str:
        """'a' or 'b' where the corrected p is below 0.05, else ''."""
        if self.p_holm is None or self.p_holm >= 0.05 or not self.difference:
            return ""
        return "a" if (self.difference > 0) != (self.criterion in LOWER_IS_BETTER) else "b"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two models on the stimuli of one database.

    Attributes:
        database: its name where the runs cover several, else ''.
        stimuli: how many, of all runs together.
        contents: how many, of all runs together.
        pairs: runs of each model.
        splits: different splits among them.
        unit: what was resampled: 'content', or 'stimulus' where there is one content, and nothing is then said about
            other contents.
        criteria: one for each criterion, and those of Krasula et al. where all spreads and votes are known.
        plcc_tests: of a single pair of runs: Williams, Steiger and Meng for PLCC after the mapping, which take the
            stimuli for independent.
        notes: what a reader must know.
    """

    database: str
    stimuli: int
    contents: int
    pairs: int
    splits: int
    unit: str
    criteria: tuple[Compared, ...]
    plcc_tests: dict[str, DependentCorrelationTest]
    notes: tuple[str, ...]


def compare(first: Sequence[FinishedRun], second: Sequence[FinishedRun], *, resamples: int = 2000) -> list[Comparison]:
    """Both models on each database; correct the results of all comparisons that belong together by `correct`.

    Raises:
        InputError: the runs do not pair, or are not on the same split, stimuli and targets.
    """
    pairs = pair_runs(first, second)
    databases = sorted({name for a, _ in pairs for name in a.predictions.databases})
    if len(databases) == 1:
        return [_compare_one(pairs, "", resamples)]
    found = []
    for name in databases:
        only = [tuple(replace(run, predictions=run.predictions.of_database(name)) for run in pair) for pair in pairs]
        found.append(_compare_one([(a, b) for a, b in only if a.predictions.ids], name, resamples))
    return found


def correct(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Holm's correction over all criteria of all comparisons."""
    tested = [c for comparison in comparisons for c in comparison.criteria if c.p is not None]
    adjusted = iter(holm([c.p for c in tested if c.p is not None]).tolist())
    return [
        replace(
            comparison,
            criteria=tuple(c if c.p is None else replace(c, p_holm=next(adjusted)) for c in comparison.criteria),
        )
        for comparison in comparisons
    ]


def _compare_one(pairs: Sequence[Pair], database: str, resamples: int) -> Comparison:
    parts = [a.predictions for a, _ in pairs]
    units, unit = [part.contents for part in parts], "content"
    contents = {name for names in units for name in names}
    if len(contents) == 1:
        units, unit = [part.ids for part in parts], "stimulus"
    number = {name: i for i, name in enumerate(sorted({name for names in units for name in names}))}
    groups = [np.array([number[name] for name in names], np.intp) for names in units]
    splits = sorted({a.split for a, _ in pairs})
    values = [
        tuple(compute_criteria(run.predictions.scores, run.predictions.targets) for run in pair) for pair in pairs
    ]
    defined = all(getattr(criteria, name) is not None for pair in values for criteria in pair for name in CRITERIA)
    paired = [
        PairedScores(a.predictions.scores, b.predictions.scores, a.predictions.targets, group_of, len(number))
        for (a, b), group_of in zip(pairs, groups, strict=True)
    ]
    criteria = [_unresampled(name, values) for name in CRITERIA]
    if defined:
        bootstrapped = bootstrap_differences(paired, resamples=resamples)
        swapped = swap_differences(paired, resamples=resamples)
        for i, c in enumerate(criteria):
            interval, p = percentile_interval(bootstrapped[c.criterion]), swap_p(swapped[c.criterion])
            differences = [_difference(a, b, c.criterion) for a, b in values]
            criteria[i] = _with_runs(replace(c, interval=interval, p_contents=p), differences, pairs)
    rated = all(np.isfinite(part.target_std).all() and (part.votes > 0).all() for part in parts)
    small = max(len(part.ids) for part in parts) <= MAX_KRASULA
    if rated and small:
        criteria += _krasula(pairs, groups, len(number))
    notes = _notes(unit, len(number), pairs, len(splits), defined)
    if rated and not small:
        notes.append(f"no pairs as of Krasula et al.: more than {MAX_KRASULA} stimuli")
    return Comparison(
        database=database,
        stimuli=len({id_ for part in parts for id_ in part.ids}),
        contents=len(contents),
        pairs=len(pairs),
        splits=len(splits),
        unit=unit,
        criteria=tuple(criteria),
        plcc_tests=_plcc_tests(paired[0]) if defined and len(pairs) == 1 else {},
        notes=tuple(notes),
    )


def _unresampled(name: str, values: Sequence[tuple[Criteria, ...]]) -> Compared:
    a, b = (_mean([getattr(pair[side], name) for pair in values]) for side in (0, 1))
    return Compared(criterion=name, a=a, b=b, difference=None if a is None or b is None else a - b)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def _difference(a: Criteria, b: Criteria, name: str) -> float:
    return float(getattr(a, name) - getattr(b, name))


def _with_runs(compared: Compared, differences: Sequence[float], pairs: Sequence[Pair]) -> Compared:
    """The test over splits, of the mean over the seeds of each; over the seeds of a single split; none of one run.

    Seeds on one split are independent given the split, so that nothing is corrected there.
    """
    by_split = [
        float(np.mean([difference for difference, _ in members]))
        for _, members in groupby(zip(differences, pairs, strict=True), key=lambda member: member[1][0].split)
    ]
    test = None
    if len(by_split) > 1:
        ratios = [a.test_to_train for a, _ in pairs]
        if any(ratio is None for ratio in ratios):
            folder = pairs[ratios.index(None)][0].folder
            raise InputError(f"{folder} has no split.csv with training stimuli, which the test over splits needs")
        test = resampled_t_test(by_split, test_to_train=float(np.mean([r for r in ratios if r is not None])))
    elif len(differences) > 1:
        test = resampled_t_test(differences)
    known = [p for p in (compared.p_contents, test.p if test else None) if p is not None]
    return replace(compared, runs=test, p=max(known) if compared.p_contents is not None else None)


def _plcc_tests(run: PairedScores) -> dict[str, DependentCorrelationTest]:
    a, b = run.mapped
    correlations = plcc(a, run.targets), plcc(b, run.targets), plcc(a, b)
    try:
        r_a, r_b, r_ab = (float(r) for r in correlations if r is not None)
        tests = {"williams": williams_test, "steiger": steiger_test, "meng": meng_test}
        return {name: test(r_a, r_b, r_ab, len(a)) for name, test in tests.items()}
    except ValueError:  # too few stimuli, or correlations of 1: equal models, or perfect ones
        return {}


def _krasula(pairs: Sequence[Pair], groups: Sequence[NDArray[np.intp]], count: int) -> list[Compared]:
    """The three values as means over the runs, with influences summed by pairs of contents."""
    of_runs = [_classify(a.predictions, b.predictions) for a, b in pairs]
    criteria = []
    for kind in KINDS:
        a, b = (float(np.mean([run[1][side][kind].value for run in of_runs])) for side in (0, 1))
        if not np.isfinite(a - b):
            continue
        influences = [run[1][0][kind].influence - run[1][1][kind].influence for run in of_runs]
        sums = [
            sum_by_contents(influence, run[0], group_of, count)
            for influence, run, group_of in zip(influences, of_runs, groups, strict=True)
        ]
        found = grouped_difference(a - b, np.mean(sums, axis=0))
        compared = Compared(
            criterion=kind,
            a=a,
            b=b,
            difference=a - b,
            interval=found.interval,
            p_contents=found.p,
            p_independent=normal_difference(a - b, influences[0]).p
            if len(pairs) == 1 and kind != "correct_order"
            else None,
        )
        differences = [float(run[1][0][kind].value - run[1][1][kind].value) for run in of_runs]
        criteria.append(_with_runs(compared, differences, pairs))
    return criteria


def _classify(
    a: Predictions, b: Predictions
) -> tuple[Pairs, tuple[dict[str, PairClassification], dict[str, PairClassification]]]:
    pairs = rated_pairs(a.targets, a.target_std, a.votes)
    return pairs, (classify_pairs(a.scores, pairs), classify_pairs(b.scores, pairs))


def _notes(unit: str, units: int, pairs: Sequence[Pair], splits: int, defined: bool) -> list[str]:
    notes = []
    if not defined:
        notes.append("a model gives all stimuli the same score: its criteria are undefined")
    if unit == "stimulus":
        notes.append("one content only: stimuli were resampled, which says nothing about other contents")
    elif 2 ** (1 - units) >= 0.05:
        notes.append(f"{units} contents: their exchanges cannot give a p below {2.0 ** (1 - units):g}")
    if len(pairs) == 1:
        notes.append("one run of each: the difference may be chance of the seed; compare several seeds or splits")
        if pairs[0][0].seed != pairs[0][1].seed:
            notes.append(f"the runs have different seeds, {pairs[0][0].seed} and {pairs[0][1].seed}")
    elif splits == 1:
        notes.append("all runs are on one split: nothing is said about other training stimuli")
    return notes
