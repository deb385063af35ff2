"""95 % intervals: a bootstrap over contents, and Bonett-Wright's formula for one SROCC."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from shared_engine.criteria import krocc, plcc, srocc
from shared_engine.logistic import fit_mapping

Array = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """Percentile intervals; None where fewer than half of the resamples had a defined value.

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
    scores: Array, targets: Array, contents: Sequence[str], *, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> Intervals:
    """Percentile bootstrap in which whole contents are drawn with replacement, since stimuli of one content are not
    independent.

    The logistic mapping is fitted once, to all stimuli, and kept.

    Args:
        scores: (N,) higher is better.
        targets: (N,) higher is better.
        contents: (N,) the content of each stimulus.
        resamples: number of bootstrap resamples.
        level: coverage of the intervals.
        seed: of the resampling.
    """
    scores, targets = np.asarray(scores, np.float64), np.asarray(targets, np.float64)
    names, group_of = np.unique(np.asarray(contents), return_inverse=True)
    unit = "content"
    if len(names) == 1:
        unit, group_of = "stimulus", np.arange(len(scores))
    groups = [np.flatnonzero(group_of == g) for g in range(group_of.max() + 1)]
    if np.ptp(scores) == 0 or np.ptp(targets) == 0:
        return Intervals(srocc=None, krocc=None, plcc=None, plcc_mapped=None, rmse=None, unit=unit, resamples=resamples)
    mapped = fit_mapping(scores, targets)(scores)
    rng = np.random.default_rng(seed)
    draws = np.full((resamples, 5), np.nan)
    for draw in draws:
        rows = np.concatenate([groups[g] for g in rng.integers(len(groups), size=len(groups))])
        x, y, q = scores[rows], targets[rows], mapped[rows]
        if np.ptp(x) == 0 or np.ptp(y) == 0:
            continue
        values = (srocc(x, y), krocc(x, y), plcc(x, y), plcc(q, y), np.sqrt(np.mean((q - y) ** 2)))
        draw[:] = [np.nan if v is None else v for v in values]
    s, k, p, m, r = (_percentile_interval(column, level) for column in draws.T)
    return Intervals(srocc=s, krocc=k, plcc=p, plcc_mapped=m, rmse=r, unit=unit, resamples=resamples)


def _percentile_interval(values: Array, level: float) -> Interval | None:
    values = values[np.isfinite(values)]
    if len(values) < 100:
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bonett_wright_interval(value: float, n: int, *, level: float = 0.95) -> Interval | None:
    """Interval of one SROCC from n independent items: tanh(atanh(r) +- z sqrt((1 + r^2/2) / (n - 3))); None for n < 4.

    Bonett and Wright, Psychometrika 65 (2000). At SROCC >= 0.8 it covers 95 % where Fisher's 1/(n - 3) covers 90-93 %.
    """
    if n < 4 or abs(value) >= 1:
        return None
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt((1 + value**2 / 2) / (n - 3))
    z = np.arctanh(value)
    return float(np.tanh(z - half)), float(np.tanh(z + half))
