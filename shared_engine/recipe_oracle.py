"""The recipe oracle: a score from the distortion's name alone, which any model should beat."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import Stimulus
from rankqa_datasets.split import Split
from shared_engine.baseline_folds import BaselineFold, BaselineReport, report_baseline
from shared_engine.criteria import plcc, srocc
from shared_engine.mixture import database_of

Array = NDArray[np.float64]


def recipe_oracle(train: Sequence[Stimulus], stimuli: Sequence[Stimulus]) -> Array:
    """The mean training target (N,) of each stimulus' recipe; of an unseen or empty one the mean of all.

    Recipes are compared within a database: of several, each has its own means.

    Raises:
        InputError: no training stimulus has a recipe.
    """
    if not any(s.recipe for s in train):
        raise InputError("the recipe oracle needs a manifest with a filled column recipe (distortion type and level)")
    targets_of: dict[tuple[str, str | None], list[float]] = defaultdict(list)
    for s in train:
        targets_of[database_of(s), None].append(s.target)
        if s.recipe:
            targets_of[database_of(s), s.recipe].append(s.target)
    mean_of = {key: float(np.mean(targets)) for key, targets in targets_of.items()}
    overall = float(np.mean([s.target for s in train]))

    def predict(s: Stimulus) -> float:
        database = database_of(s)
        return mean_of.get((database, s.recipe or None), mean_of.get((database, None), overall))

    return np.array([predict(s) for s in stimuli], np.float64)


def oracle_over_folds(stimuli: Sequence[Stimulus], splits: Sequence[Split]) -> BaselineReport:
    """The oracle trained on the training part of each split, judged on its test part.

    Unseen in a fold are stimuli whose recipe no training stimulus has: they get the mean of all training targets.

    Args:
        stimuli: the rows of a manifest.
        splits: each names the part of every stimulus; a validation part is left out.

    Raises:
        InputError: no recipes, or a split with fewer than two test stimuli.
    """
    folds = []
    for number, split in enumerate(splits, start=1):
        train = [s for s in stimuli if split.parts[s.id] == "train"]
        test = [s for s in stimuli if split.parts[s.id] == "test"]
        if len(test) < 2:
            raise InputError(f"the test part of fold {number} has {len(test)} stimuli, expected at least 2")
        scores, targets = recipe_oracle(train, test), np.array([s.target for s in test])
        known = {(database_of(s), s.recipe) for s in train if s.recipe}
        folds.append(
            BaselineFold(
                srocc=srocc(scores, targets),
                plcc=plcc(scores, targets),
                tested=tuple(test),
                scores=tuple(scores.tolist()),
                unseen=sum((database_of(s), s.recipe) not in known for s in test),
            )
        )
    return report_baseline(folds)
