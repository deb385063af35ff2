"""The t-test on paired differences from repeated runs, corrected where the runs share training data."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True, slots=True)
class ResampledTTest:
    """Mean difference, its 95 % interval, and two-sided p.

    Attributes:
        mean: of the differences.
        low: lower end of the interval.
        high: upper end.
        t: mean over its corrected standard error; infinite where all differences are the same, 0 where all are 0.
        p: two-sided.
        runs: number of differences.
    """

    mean: float
    low: float
    high: float
    t: float
    p: float
    runs: int


def resampled_t_test(
    differences: Sequence[float], *, test_to_train: float = 0.0, level: float = 0.95
) -> ResampledTTest:
    """Student's t with k - 1 degrees of freedom and the variance times 1/k + n_test/n_train in place of 1/k.

    Runs on random splits of one database share most of their training data and part of their test data, so that
    their results agree more than independent ones would: without the correction the test claims far too much. Nadeau
    and Bengio, Machine Learning 52 (2003).

    Args:
        differences: (k,) first less second, one for each split; of runs on one split, one for each seed.
        test_to_train: n_test / n_train of the splits; 0 for independent runs, such as seeds on one split.
        level: coverage of the interval.

    Raises:
        ValueError: fewer than two differences, or a negative ratio.
    """
    values = np.asarray(differences, np.float64)
    k = len(values)
    if k < 2 or test_to_train < 0:
        raise ValueError(f"expected at least 2 differences and a ratio of at least 0, got {k} and {test_to_train}")
    mean = float(values.mean())
    error = float(np.sqrt((1 / k + test_to_train) * values.var(ddof=1)))
    half = float(stats.t.ppf((1 + level) / 2, k - 1)) * error
    t = mean / error if error > 0 else np.sign(mean) * np.inf if mean else 0.0
    return ResampledTTest(mean, mean - half, mean + half, float(t), float(2 * stats.t.sf(abs(t), k - 1)), k)
