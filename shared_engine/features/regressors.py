"""Regressors of scikit-learn from rows of features to targets: what a network on features must beat."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rankqa_datasets.errors import InputError
from shared_engine.names import UsageProblem

Array = NDArray[np.float64]

TREES = 100


def predict_targets(
    regressor: str, features: Array, targets: Array, others: Array, *, seed: int = 0
) -> NDArray[np.float64]:
    """Predictions (M,) on the scale of the targets, by a regressor that is fitted to a training part.

    Features are standardised by mean and deviation of the training part; one that is constant there is ignored. So are
    targets for support vectors, whose defaults (C = 1, epsilon = 0.1) would otherwise depend on a database's scale.

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
    mean, std = features.mean(axis=0), features.std(axis=0)
    # Rounding of the mean gives a constant a deviation of about 1e-16 of its size.
    scale = np.where(std > 1e-12 * np.abs(mean), std, np.inf)
    try:
        return REGRESSORS[regressor]((features - mean) / scale, targets, (others - mean) / scale, seed)
    except ModuleNotFoundError as error:
        if error.name != "sklearn":
            raise
        raise UsageProblem("regressors need scikit-learn: pip install 'rankqa[features]'") from None


def _support_vectors(features: Array, targets: Array, others: Array, seed: int) -> Array:
    from sklearn.svm import SVR

    mean, std = targets.mean(), targets.std()
    return mean + std * SVR().fit(features, (targets - mean) / std).predict(others)


def _extra_trees(features: Array, targets: Array, others: Array, seed: int) -> Array:
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(TREES, random_state=seed).fit(features, targets).predict(others)


REGRESSORS: dict[str, Callable[[Array, Array, Array, int], Array]] = {
    "svr": _support_vectors,
    "extra-trees": _extra_trees,
}
