"""A regressor on a table of features over the folds of a cross-validation."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rankqa_datasets.errors import InputError
from rankqa_datasets.split import Split
from rankqa_datasets.stimulus import Stimulus
from shared_engine.baseline_folds import BaselineFold, BaselineReport, report_baseline
from shared_engine.criteria import plcc, srocc
from shared_engine.features.regressors import on_target_scale, predict_scores
from shared_engine.features.table import FeatureTable
from shared_engine.mixture import rows_by_database

Array = NDArray[np.float64]


def read_features(path: Path, stimuli: Sequence[Stimulus]) -> Array:
    """All features (N, F) of a table, for the stimuli that are its rows.

    Raises:
        InputError: a cell that is not a finite number, or a feature that equals the target in every row.
        UsageProblem: no column of numbers beside those that describe the stimuli.
    """
    table = FeatureTable(path)
    columns = table.choose(None, None)
    leak = next((name for name in columns if table.equals_target(name)), None)
    if leak is not None:
        raise InputError(f"{path}: the column '{leak}' equals the target in every row: remove it")
    rows = []
    for stimulus in stimuli:
        name = os.path.normpath(stimulus.id)
        table.features(name, columns)  # refuses what is no number
        _, cells = table.rows[name]
        # With all digits: the network's float32 would move ranks that hang on the last ones.
        rows.append([float(cells[column]) for column in columns])
    return np.array(rows)


def regress_over_folds(
    regressor: str, stimuli: Sequence[Stimulus], features: Array, splits: Sequence[Split], *, seed: int = 0
) -> BaselineReport:
    """Fits a regressor to the training part of each split and judges it on the test part; validation is left out.

    Args:
        regressor: a name of `shared_engine.features.regressors.REGRESSORS`.
        stimuli: N rows of a manifest.
        features: (N, F) of each, finite.
        splits: each names the part of every stimulus.
        seed: of a regressor that has randomness.

    Raises:
        InputError: several databases, whose targets have no common scale; fewer than two stimuli to train on or
            to test; or training targets that do not differ.
    """
    databases = list(rows_by_database(stimuli))
    if len(databases) > 1:
        raise InputError(
            f"expected stimuli of one database, whose targets can be compared, got {', '.join(map(repr, databases))}"
        )
    targets = np.array([stimulus.target for stimulus in stimuli])
    folds = []
    for number, split in enumerate(splits, start=1):
        parts = np.array([split.parts[stimulus.id] for stimulus in stimuli])
        train, test = parts == "train", parts == "test"
        if min(train.sum(), test.sum()) < 2:
            raise InputError(
                f"fold {number} trains on {train.sum()} stimuli and tests {test.sum()}, expected at least 2 of each"
            )
        scores = predict_scores(regressor, features[train], targets[train], features[test], seed=seed)
        folds.append(
            BaselineFold(
                srocc=srocc(scores, targets[test]),
                plcc=plcc(scores, targets[test]),
                tested=tuple(s for s, part in zip(stimuli, parts, strict=True) if part == "test"),
                scores=tuple(on_target_scale(regressor, scores, targets[train]).tolist()),
            )
        )
    return report_baseline(folds)
