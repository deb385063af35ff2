"""95 % intervals: a bootstrap over contents, and Bonett-Wright's formula for one SROCC.

A resample is a vector of weights: how often each stimulus was drawn. All criteria are exact functions of the weights,
so that a thousand resamples are a few matrix operations.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from shared_engine.score_mapping import Mapping, fit_mapping

Array = NDArray[np.float64]
Interval = tuple[float, float]

# Fewer defined resamples than this say nothing about a 2.5 % tail.
MIN_DEFINED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """Percentile intervals; None where fewer than 100 resamples had a defined value.

    `unit` is what was resampled: 'content', or 'stimulus' where there is only one content, and the interval then says
    nothing about other contents.
    """

    srocc: Interval | None
    krocc: Interval | None
    plcc: Interval | None
    plcc_mapped: Interval | None
    rmse: Interval | None
    unit: str
    resamples: int


def bootstrap_intervals(
    scores: Array,
    targets: Array,
    contents: Sequence[str],
    *,
    mapping: Mapping | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Intervals:
    """Percentile bootstrap in which whole contents are drawn with replacement, since stimuli of a content are
    dependent.

    The mapping before PLCC and RMSE is kept in all resamples.

    Args:
        scores: (N,) higher is better.
        targets: (N,) higher is better.
        contents: (N,) the content of each stimulus.
        mapping: from scores to targets; None fits the logistic to these very stimuli.
        resamples: number of bootstrap resamples.
        level: coverage of the intervals.
        seed: of the resampling.
    """
    scores, targets = np.asarray(scores, np.float64), np.asarray(targets, np.float64)
    names, group_of = np.unique(np.asarray(contents), return_inverse=True)
    unit = "content"
    if len(names) == 1:
        unit, group_of = "stimulus", np.arange(len(scores))
    values: dict[str, Interval | None] = dict.fromkeys(("srocc", "krocc", "plcc", "plcc_mapped", "rmse"))
    if np.ptp(scores) > 0 and np.ptp(targets) > 0:
        weights = draw_weights(group_of, resamples, np.random.default_rng(seed))
        mapped = (mapping or fit_mapping(scores, targets))(scores)
        values = {
            "srocc": percentile_interval(
                weighted_plcc(weighted_midranks(scores, weights), weighted_midranks(targets, weights), weights), level
            ),
            "krocc": percentile_interval(_weighted_krocc(scores, targets, weights), level),
            "plcc": percentile_interval(weighted_plcc(scores, targets, weights), level),
            "plcc_mapped": percentile_interval(weighted_plcc(mapped, targets, weights), level),
            "rmse": percentile_interval(np.sqrt(weights @ (mapped - targets) ** 2 / weights.sum(axis=1)), level),
        }
    return Intervals(**values, unit=unit, resamples=resamples)


def draw_weights(group_of: NDArray[np.intp], resamples: int, rng: np.random.Generator) -> Array:
    """(R, N): how often each stimulus is in each resample of as many groups as there are."""
    count = int(group_of.max()) + 1
    return rng.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)[:, group_of]


def weighted_midranks(values: Array, weights: Array) -> Array:
    """(R, N) midrank of each stimulus in each resample: the weight below it, and half of the weight at it."""
    unique, inverse = np.unique(values, return_inverse=True)
    at = np.zeros((len(weights), len(unique)))
    np.add.at(at.T, inverse, weights.T)
    below = np.cumsum(at, axis=1) - at
    return (below + (at + 1) / 2)[:, inverse]


def weighted_plcc(x: Array, y: Array, weights: Array) -> Array:
    """(R,) Pearson correlation of each resample, NaN where a side is constant."""
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1)
    x = x - np.sum(weights * x, axis=1, keepdims=True) / total
    y = y - np.sum(weights * y, axis=1, keepdims=True) / total
    xx, yy = np.sum(weights * x * x, axis=1), np.sum(weights * y * y, axis=1)
    defined = (xx > 1e-20 * xx.max()) & (yy > 1e-20 * yy.max())
    product = np.sum(weights * x * y, axis=1)
    return np.divide(product, np.sqrt(xx * yy), out=np.full(len(weights), np.nan), where=defined)


def _weighted_krocc(x: Array, y: Array, weights: Array) -> Array:
    """(R,) Kendall's tau-b of each resample; copies of a stimulus are ties of both sides."""
    agreement, untied_x, untied_y = np.zeros((3, len(weights)))
    for rows in np.array_split(np.arange(len(x)), 1 + len(x) // 1000):
        sign_x, sign_y = np.sign(x[rows, None] - x), np.sign(y[rows, None] - y)
        for total, signs in (
            (agreement, sign_x * sign_y),
            (untied_x, np.abs(sign_x)),
            (untied_y, np.abs(sign_y)),
        ):
            total += np.sum(weights[:, rows] * (weights @ signs.T), axis=1)
    defined = (untied_x > 0) & (untied_y > 0)
    return np.divide(agreement, np.sqrt(untied_x * untied_y), out=np.full(len(weights), np.nan), where=defined)


def percentile_interval(values: Array, level: float = 0.95) -> Interval | None:
    """Interval that holds this share of the defined values (R,); None where fewer than 100 are."""
    values = values[np.isfinite(values)]
    if len(values) < MIN_DEFINED:
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bonett_wright_interval(value: float, n: int, *, level: float = 0.95) -> Interval | None:
    """Interval of one SROCC of n independent items: tanh(atanh(r) +- z sqrt((1 + r^2/2) / (n - 3))).

    None for n < 4 or a perfect correlation. Bonett and Wright, Psychometrika 65 (2000). At SROCC >= 0.8 it covers 95
    % where Fisher's 1/(n - 3) covers 90-93 %.
    """
    if n < 4 or abs(value) >= 1:
        return None
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt((1 + value**2 / 2) / (n - 3))
    z = np.arctanh(value)
    return float(np.tanh(z - half)), float(np.tanh(z + half))
