"""Regressors of scikit-learn from rows of features to targets: what a network on features must beat."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rankqa_datasets.errors import InputError
from shared_engine.names import UsageProblem

Array = NDArray[np.float64]

TREES = 100


@dataclass(frozen=True)
class Regressor:
    """A way from training features (N, F), training targets (N,), other features (M, F) and a seed to scores (M,).

    Attributes:
        function: it takes standardised features.
        standardises_targets: whether it takes targets, and gives scores, in deviations from the mean training target.
    """

    function: Callable[[Array, Array, Array, int], Array]
    standardises_targets: bool


def predict_scores(regressor: str, features: Array, targets: Array, others: Array, *, seed: int = 0) -> Array:
    """Scores (M,) by a regressor that is fitted to a training part; higher is better.

    Features are standardised by mean and deviation of the training part; one that is constant there is ignored. So are
    targets for support vectors, whose defaults (C = 1, epsilon = 0.1) would otherwise depend on a database's scale.
    Their scores far from all training rows differ by rounding alone, which then decides ranks.

    Args:
        regressor: a name of `REGRESSORS`.
        features: (N, F) of the training part, finite.
        targets: (N,) of the training part.
        others: (M, F) what to predict for.
        seed: of the trees; support vectors have no randomness.

    Raises:
        InputError: targets that are all equal.
        UsageProblem: scikit-learn is not installed.
    """
    if np.ptp(targets) == 0:
        raise InputError(f"expected training targets that differ, got {len(targets)} times {targets[0]:g}")
    chosen = REGRESSORS[regressor]
    if chosen.standardises_targets:
        targets = (targets - targets.mean()) / targets.std()
    mean, std = features.mean(axis=0), features.std(axis=0)
    # Rounding of the mean gives a constant a deviation of about 1e-16 of its size.
    scale = np.where(std > 1e-12 * np.abs(mean), std, np.inf)
    try:
        return chosen.function((features - mean) / scale, targets, (others - mean) / scale, seed)
    except ModuleNotFoundError as error:
        if error.name != "sklearn":
            raise
        raise UsageProblem("regressors need scikit-learn: pip install 'rankqa[features]'") from None


def on_target_scale(regressor: str, scores: Array, targets: Array) -> Array:
    """Scores of a regressor on the scale of its training targets (N,), where those of several folds can be compared."""
    return targets.mean() + targets.std() * scores if REGRESSORS[regressor].standardises_targets else scores


def _support_vectors(features: Array, targets: Array, others: Array, seed: int) -> Array:
    from sklearn.svm import SVR

    return SVR().fit(features, targets).predict(others)


def _extra_trees(features: Array, targets: Array, others: Array, seed: int) -> Array:
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(TREES, random_state=seed).fit(features, targets).predict(others)


REGRESSORS = {
    "svr": Regressor(_support_vectors, standardises_targets=True),
    "extra-trees": Regressor(_extra_trees, standardises_targets=False),
}
