"""Statistics of the spread of small sets of values, one set a row."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

Rows = Float[np.ndarray, "rows k"]
Spread = Float[np.ndarray, " rows"]


def standard_deviation(values: Rows) -> Spread:
    """Divided by k - 1, as all moments here."""
    return values.std(axis=1, ddof=1)


def variance(values: Rows) -> Spread:
    """Sum of squared deviations over k - 1."""
    return values.var(axis=1, ddof=1)


def mean_deviation(values: Rows) -> Spread:
    """Mean of |v - mean|."""
    return np.abs(values - values.mean(axis=1, keepdims=True)).mean(axis=1)


def median_deviation(values: Rows) -> Spread:
    """Median of |v - median|."""
    return np.median(np.abs(values - np.median(values, axis=1, keepdims=True)), axis=1)


def coefficient_of_variation(values: Rows) -> Spread:
    """Standard deviation over mean; 0 where the mean is 0."""
    return _ratio(standard_deviation(values), values.mean(axis=1))


def quartile_coefficient(values: Rows) -> Spread:
    """(Q3 - Q1) / (Q3 + Q1); 0 where the sum is 0. Quartiles as MATLAB's: value i of k is at (i - 1/2) / k."""
    low, high = np.quantile(values, (0.25, 0.75), axis=1, method="hazen")
    return _ratio(high - low, high + low)


def mean(values: Rows) -> Spread:
    """Not a spread, but one of the paper's estimators."""
    return values.mean(axis=1)


def _ratio(numerator: Spread, denominator: Spread) -> Spread:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)


# The names are those of Alexiou and Ebrahimi's paper and program.
DISPERSIONS: dict[str, Callable[[Rows], Spread]] = {
    "STD": standard_deviation,
    "VAR": variance,
    "MeanAD": mean_deviation,
    "MedianAD": median_deviation,
    "COV": coefficient_of_variation,
    "QCD": quartile_coefficient,
    "Mean": mean,
}
