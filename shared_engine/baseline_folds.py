"""A baseline over the folds of a cross-validation: each fold, their mean, and all predictions pooled."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rankqa_datasets.stimulus import Stimulus
from shared_engine.criteria import mean_and_std, plcc, srocc
from shared_engine.intervals import Interval, bootstrap_intervals


@dataclass(frozen=True, kw_only=True)
class BaselineFold:
    """What a baseline reaches on the test part of one fold.

    Attributes:
        srocc: Spearman's correlation, None where undefined.
        plcc: Pearson's correlation of its own scores as they are, None where undefined.
        tested: the stimuli.
        scores: of each, on the scale of the targets.
        unseen: how many have a recipe that no training stimulus has; None where the baseline reads no recipes.
    """

    srocc: float | None
    plcc: float | None
    tested: tuple[Stimulus, ...]
    scores: tuple[float, ...]
    unseen: int | None = None

    @property
    def n(self) -> int:
        """Number of stimuli tested."""
        return len(self.tested)


@dataclass(frozen=True, kw_only=True)
class BaselineReport:
    """A baseline over folds: each, mean and standard deviation (n - 1) over them, and all predictions pooled.

    PLCC is that of the predictions as they are, pooled on the scale of the targets. Mean and deviation are those of the
    folds where a criterion is defined; None where there is none, and no deviation of a single fold. The intervals,
    95 %, are a bootstrap over contents.
    """

    folds: tuple[BaselineFold, ...]
    srocc_mean: float | None
    srocc_std: float | None
    plcc_mean: float | None
    plcc_std: float | None
    pooled_n: int
    pooled_contents: int
    pooled_srocc: float | None
    pooled_srocc_interval: Interval | None
    pooled_plcc: float | None
    pooled_plcc_interval: Interval | None


def report_baseline(folds: Sequence[BaselineFold]) -> BaselineReport:
    """Joins at least one fold; a stimulus that several of them test counts as often."""
    tested = [stimulus for fold in folds for stimulus in fold.tested]
    scores, targets = np.array([s for fold in folds for s in fold.scores]), np.array([s.target for s in tested])
    contents = [stimulus.content for stimulus in tested]
    intervals = bootstrap_intervals(scores, targets, contents)
    srocc_mean, srocc_std = mean_and_std([fold.srocc for fold in folds])
    plcc_mean, plcc_std = mean_and_std([fold.plcc for fold in folds])
    return BaselineReport(
        folds=tuple(folds),
        srocc_mean=srocc_mean,
        srocc_std=srocc_std,
        plcc_mean=plcc_mean,
        plcc_std=plcc_std,
        pooled_n=len(tested),
        pooled_contents=len(set(contents)),
        pooled_srocc=srocc(scores, targets),
        pooled_srocc_interval=intervals.srocc,
        pooled_plcc=plcc(scores, targets),
        pooled_plcc_interval=intervals.plcc,
    )
