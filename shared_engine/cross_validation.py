"""The runs of a cross-validation joined: each fold, their mean and spread, and the predictions of all pooled.

Models of different folds have scales of their own, so that pooled raw scores mix differences between stimuli with
differences between models. Each fold's own calibration, fitted to what it was trained or selected on and never to its
test part, brings them to the scale of the targets; nothing is fitted to the test parts then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_engine.criteria import compute_criteria, plcc, srocc
from shared_engine.fold_runs import FoldRun, folds_and_seeds, of_database
from shared_engine.intervals import Interval, draw_weights, percentile_interval, weighted_midranks, weighted_plcc
from shared_engine.recipe_oracle import recipe_oracle
from shared_engine.resampled_t_test import resampled_t_test
from shared_engine.score_mapping import fit_mapping

Array = NDArray[np.float64]
ORACLE = "recipe-oracle"
RESAMPLES = 1000


@dataclass(frozen=True, kw_only=True)
class FoldResult:
    """One fold.

    Attributes:
        name: of its split.
        contents: of its test part, sorted.
        stimuli: how many its test part has.
        values: criterion -> mean over the seeds, None where it is undefined for one of them: `srocc`; `plcc_mapped`
            after a logistic fitted to the test part; `plcc_calibrated` and `rmse_calibrated` after the run's own
            calibration; and `NAME srocc` of each baseline.
    """

    name: str
    contents: tuple[str, ...]
    stimuli: int
    values: dict[str, float | None]


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A criterion over the folds in which it is defined; None where these, or the seeds, are too few.

    Attributes:
        mean: over the folds, of the mean over the seeds.
        sd: over the folds (k - 1).
        sd_seeds: standard deviation of the mean over the folds, over the seeds.
        interval: 95 %, Student's t over the folds with the correction of Nadeau and Bengio for shared training data.
        undefined: folds without a value.
    """

    mean: float | None
    sd: float | None
    sd_seeds: float | None
    interval: Interval | None
    undefined: int


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """Criteria of the test parts of all folds together, each the mean over the seeds, with 95 % bootstrap intervals
    over contents.
    """

    srocc: float | None
    plcc: float | None
    rmse: float | None
    srocc_interval: Interval | None = None
    plcc_interval: Interval | None = None
    rmse_interval: Interval | None = None


@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    """A model over the folds of one database.

    Attributes:
        database: its name where the runs cover several, else ''.
        seeds: of the runs, sorted.
        folds: in the order of the runs.
        spread: of each of the folds' values.
        pooled: `raw` scores, with PLCC and RMSE after one logistic fitted to all of them; scores `calibrated` by each
            run on its own, with nothing fitted to the test parts; and the recipe oracle's, where all training stimuli
            of each fold are tested in another and tested recipes were in training.
        stimuli: of all folds together.
        contents: of all folds together.
        unit: what was resampled: 'content', or 'stimulus' where there is one content, and nothing is then said about
            other contents.
        notes: what a reader must know.
    """

    database: str
    seeds: tuple[int, ...]
    folds: tuple[FoldResult, ...]
    spread: dict[str, Spread]
    pooled: dict[str, Pooled]
    stimuli: int
    contents: int
    unit: str
    notes: tuple[str, ...]


def cross_validate(runs: Sequence[FoldRun]) -> list[CrossValidation]:
    """The runs of one configuration on the folds of one manifest, joined; one result for each database.

    Raises:
        InputError: the runs do not belong together, see `folds_and_seeds`.
    """
    grid = folds_and_seeds(runs)
    oracle = _oracle(grid)
    databases = sorted({name for run in runs for name in run.finished.predictions.databases})
    if len(databases) == 1:
        return [_join(grid, oracle, "")]
    found = []
    for name in databases:
        only = [[of_database(run, name) for run in fold] for fold in grid]
        found.append(_join([fold for fold in only if fold[0].tested], oracle, name))
    return found


def _join(grid: Sequence[Sequence[FoldRun]], oracle: Mapping[str, float] | None, database: str) -> CrossValidation:
    values = [[_values(run, oracle) for run in fold] for fold in grid]
    names = list(dict.fromkeys(name for fold in values for of_run in fold for name in of_run))
    table = {name: [[of_run.get(name) for of_run in fold] for fold in values] for name in names}
    folds = tuple(
        FoldResult(
            name=fold[0].name,
            contents=tuple(sorted(set(fold[0].finished.predictions.contents))),
            stimuli=len(fold[0].tested),
            values={name: _mean(table[name][row]) for name in names},
        )
        for row, fold in enumerate(grid)
    )
    ratios = [run.finished.test_to_train for fold in grid for run in fold]
    ratio = None if None in ratios else float(np.mean([r for r in ratios if r is not None]))
    pooled, unit = _pool(grid, oracle)
    contents = {content for fold in folds for content in fold.contents}
    spread = {name: _spread(column, ratio) for name, column in table.items()}
    return CrossValidation(
        database=database,
        seeds=tuple(run.finished.seed for run in grid[0]),
        folds=folds,
        spread=spread,
        pooled=pooled,
        stimuli=sum(fold.stimuli for fold in folds),
        contents=len(contents),
        unit=unit,
        notes=tuple(_notes(grid, spread, ratio, unit)),
    )


def _values(run: FoldRun, oracle: Mapping[str, float] | None) -> dict[str, float | None]:
    p = run.finished.predictions
    criteria = compute_criteria(p.scores, p.targets)
    values = {"srocc": criteria.srocc, "plcc_mapped": criteria.plcc_mapped}
    if run.calibration is not None:
        calibrated = _calibrated(run)
        values |= {"plcc_calibrated": plcc(calibrated, p.targets), "rmse_calibrated": _rmse(calibrated, p.targets)}
    values |= {f"{name} srocc": value for name, value in run.baselines.items()}
    if oracle is not None:
        values[f"{ORACLE} srocc"] = srocc(np.array([oracle[id_] for id_ in p.ids]), p.targets)
    return values


def _calibrated(run: FoldRun) -> Array:
    assert run.calibration is not None
    return run.calibration(run.finished.predictions.scores)


def _oracle(grid: Sequence[Sequence[FoldRun]]) -> dict[str, float] | None:
    """The recipe oracle's value of each test stimulus; None where the predictions do not tell all training recipes, or
    no tested recipe was in training, as where distortions are left out.
    """
    first = [fold[0] for fold in grid]
    known = {id_: stimulus for run in first for id_, stimulus in run.stimuli.items()}
    values: dict[str, float] = {}
    trained_recipe = False
    for run in first:
        train = [known[id_] for id_ in run.trained if id_ in known]
        if len(train) < len(run.trained) or not any(s.recipe for s in train):
            return None
        own = [run.stimuli[id_] for id_ in run.finished.predictions.ids]
        trained_recipe |= bool({s.recipe for s in own} & {s.recipe for s in train if s.recipe})
        values |= dict(zip(run.finished.predictions.ids, recipe_oracle(train, own).tolist(), strict=True))
    return values if trained_recipe else None


def _pool(grid: Sequence[Sequence[FoldRun]], oracle: Mapping[str, float] | None) -> tuple[dict[str, Pooled], str]:
    parts = [fold[0].finished.predictions for fold in grid]
    targets = np.concatenate([p.targets for p in parts])
    names, group_of = np.unique([content for p in parts for content in p.contents], return_inverse=True)
    unit = "content" if len(names) > 1 else "stimulus"
    groups = group_of if len(names) > 1 else np.arange(len(targets))
    weights = draw_weights(groups, RESAMPLES, np.random.default_rng(0))
    by_seed = [[fold[i] for fold in grid] for i in range(len(grid[0]))]
    raw = [np.concatenate([run.finished.predictions.scores for run in runs]) for runs in by_seed]
    mapped = [fit_mapping(s, targets)(s) if np.ptp(s) > 0 else s for s in raw]
    pooled = {"raw": _pooled(raw, mapped, targets, weights)}
    if all(run.calibration is not None for runs in by_seed for run in runs):
        values = [np.concatenate([_calibrated(run) for run in runs]) for runs in by_seed]
        pooled["calibrated"] = _pooled(values, values, targets, weights)
    if oracle is not None:
        values = [np.array([oracle[id_] for p in parts for id_ in p.ids])]
        pooled[ORACLE] = _pooled(values, values, targets, weights)
    return pooled, unit


def _pooled(of_seeds: Sequence[Array], mapped: Sequence[Array], targets: Array, weights: Array) -> Pooled:
    """Criteria as means over the seeds: SROCC of the scores, PLCC and RMSE of the mapped ones; weights (R, N)."""
    if any(np.ptp(scores) == 0 for scores in of_seeds) or np.ptp(targets) == 0:
        return Pooled(srocc=None, plcc=None, rmse=None)
    ranks = weighted_midranks(targets, weights)
    resampled = {
        "srocc": [weighted_plcc(weighted_midranks(scores, weights), ranks, weights) for scores in of_seeds],
        "plcc": [weighted_plcc(values, targets, weights) for values in mapped],
        "rmse": [np.sqrt(weights @ (values - targets) ** 2 / weights.sum(axis=1)) for values in mapped],
    }
    # A resample in which a seed's value is undefined is NaN, and left out of the interval.
    intervals = {name: percentile_interval(np.mean(values, axis=0)) for name, values in resampled.items()}
    return Pooled(
        srocc=_mean([srocc(scores, targets) for scores in of_seeds]),
        plcc=_mean([plcc(values, targets) for values in mapped]),
        rmse=_mean([_rmse(values, targets) for values in mapped]),
        srocc_interval=intervals["srocc"],
        plcc_interval=intervals["plcc"],
        rmse_interval=intervals["rmse"],
    )


def _spread(column: Sequence[Sequence[float | None]], test_to_train: float | None) -> Spread:
    """Of values [fold][seed]."""
    means = [_mean(of_seeds) for of_seeds in column]
    known = [value for value in means if value is not None]
    defined = [row for row, mean in zip(column, means, strict=True) if mean is not None]
    of_seeds = [_mean(values) for values in zip(*defined, strict=True)]
    test = None
    if len(known) > 1 and test_to_train is not None:
        test = resampled_t_test(known, test_to_train=test_to_train)
    return Spread(
        mean=float(np.mean(known)) if known else None,
        sd=float(np.std(known, ddof=1)) if len(known) > 1 else None,
        sd_seeds=float(np.std([v for v in of_seeds if v is not None], ddof=1)) if len(of_seeds) > 1 else None,
        interval=None if test is None else (test.low, test.high),
        undefined=len(means) - len(known),
    )


def _notes(
    grid: Sequence[Sequence[FoldRun]], spread: Mapping[str, Spread], ratio: float | None, unit: str
) -> list[str]:
    notes = []
    if spread["srocc"].undefined:
        notes.append(f"SROCC is undefined in {spread['srocc'].undefined} fold(s), which the mean leaves out")
    if any(run.calibration is None for fold in grid for run in fold):
        notes.append("no calibrated row: a run has no calibration, since its scores were equal or its databases differ")
    if ratio is None:
        notes.append("no interval over folds: a run has no split.csv with training stimuli")
    if unit == "stimulus":
        notes.append("one content only: stimuli were resampled, which says nothing about other contents")
    return notes


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _rmse(values: Array, targets: Array) -> float:
    return float(np.sqrt(np.mean((values - targets) ** 2)))
