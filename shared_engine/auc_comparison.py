"""Areas under ROC curves of two predictors on the same items, and whether they differ."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]


def auc_influence(positive: Array, negative: Array) -> tuple[float, Array, Array]:
    """Area under the ROC curve, and how much each item moves it: its variance is the sum of the squares.

    The components of DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988), less their mean and over their number,
    by midranks as in Sun and Xu (IEEE Signal Processing Letters 21, 2014). Those of two predictors on the same items,
    subtracted, are those of the difference of their areas.

    Args:
        positive: (M,) values that should be larger.
        negative: (N,) values that should be smaller.

    Returns:
        The area, which counts ties as half, and the influences (M,) and (N,); NaN and zeros where a side is empty.
    """
    m, n = len(positive), len(negative)
    if m == 0 or n == 0:
        return float("nan"), np.zeros(m), np.zeros(n)
    ranks = stats.rankdata(np.concatenate([positive, negative]))
    above = (ranks[:m] - stats.rankdata(positive)) / n  # share of the negatives below each positive
    below = 1 - (ranks[m:] - stats.rankdata(negative)) / m  # share of the positives above each negative
    area = float(above.mean())
    # Sums of squares over M and M - 1, as in the definition of a sample variance.
    return area, (above - area) / np.sqrt(m * max(m - 1, 1)), (below - area) / np.sqrt(n * max(n - 1, 1))


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference with its 95 % interval and two-sided p; None where there is nothing to estimate them from."""

    value: float
    interval: tuple[float, float] | None
    p: float | None


def normal_difference(value: float, influence: Array) -> Difference:
    """From the influences (P,) of independent items: DeLong's test."""
    return _difference(value, float(np.sum(influence**2)), np.inf)


def grouped_difference(value: float, influence: Array) -> Difference:
    """From the influences summed by pairs of contents, (C, C) symmetric: pairs that share a content may depend.

    Items that are pairs of stimuli are not independent, since each stimulus is in many. The variance sums the
    products of all influences that share a content (Aronow, Samii and Assenova, Political Analysis 23, 2015):
    sum_c (sum_d D_cd)^2 - sum_{c<d} D_cd^2, where the second term was counted twice. Student's t with C - 1 degrees
    of freedom.

    Args:
        value: the difference.
        influence: (C, C) sum of the influences of all items between two contents; within one on the diagonal.
    """
    contents = len(influence)
    if contents < 2:
        return Difference(value, None, None)
    of_pairs = np.triu(influence, 1)
    variance = float(np.sum(influence.sum(axis=1) ** 2) - np.sum(of_pairs**2))
    return _difference(value, variance, float(contents - 1))


def _difference(value: float, variance: float, freedom: float) -> Difference:
    if not np.isfinite(value) or variance <= 0:
        return Difference(value, None, 1.0 if value == 0 else None)
    error = np.sqrt(variance)
    half = float(stats.t.ppf(0.975, freedom) * error)
    return Difference(value, (value - half, value + half), float(2 * stats.t.sf(abs(value) / error, freedom)))
