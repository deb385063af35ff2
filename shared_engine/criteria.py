"""Evaluation criteria, computed by SciPy in float64. The loss code is never used to evaluate."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from shared_engine.score_mapping import Mapping, fit_mapping

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """Agreement of scores with subjective targets; None where a value is not defined.

    SROCC and KROCC (tau-b) use the raw scores; `plcc` too. `plcc_mapped`, `rmse` (in target units) and
    `outlier_ratio` (share of stimuli farther from their target than two standard deviations of its opinions) follow
    the mapping of `score_mapping`.
    """

    n: int
    srocc: float | None
    krocc: float | None
    plcc: float | None
    plcc_mapped: float | None
    rmse: float | None
    outlier_ratio: float | None


def compute_criteria(
    scores: Array, targets: Array, target_std: Array | None = None, *, mapping: Mapping | None = None
) -> Criteria:
    """All criteria of one set of stimuli.

    Args:
        scores: (N,) finite model outputs, higher is better.
        targets: (N,) finite subjective scores, higher is better.
        target_std: (N,) standard deviation of the opinions, NaN where unknown.
        mapping: from scores to targets; None fits one to these very stimuli, as the literature does.

    Raises:
        ValueError: lengths differ, or a value is not finite.
    """
    scores, targets = np.asarray(scores, np.float64), np.asarray(targets, np.float64)
    if scores.ndim != 1 or scores.shape != targets.shape:
        raise ValueError(f"scores and targets need one axis of equal length, got {scores.shape} and {targets.shape}")
    if not (np.isfinite(scores).all() and np.isfinite(targets).all()):
        raise ValueError("scores and targets must be finite")
    n = len(scores)
    if n < 2 or np.ptp(scores) == 0 or np.ptp(targets) == 0:
        return Criteria(n=n, srocc=None, krocc=None, plcc=None, plcc_mapped=None, rmse=None, outlier_ratio=None)
    mapped = (mapping or fit_mapping(scores, targets))(scores)
    return Criteria(
        n=n,
        srocc=srocc(scores, targets),
        krocc=krocc(scores, targets),
        plcc=plcc(scores, targets),
        plcc_mapped=plcc(mapped, targets),
        rmse=float(np.sqrt(np.mean((mapped - targets) ** 2))),
        outlier_ratio=_outlier_ratio(mapped, targets, target_std),
    )


def srocc(scores: Array, targets: Array) -> float | None:
    """Spearman's rank correlation with midranks; None if either side is constant."""
    return plcc(stats.rankdata(scores), stats.rankdata(targets))


def krocc(scores: Array, targets: Array) -> float | None:
    """Kendall's tau-b; None if either side is constant."""
    value = float(np.asarray(stats.kendalltau(scores, targets))[0])
    return value if np.isfinite(value) else None


def plcc(scores: Array, targets: Array) -> float | None:
    """Pearson's linear correlation; None if either side is constant."""
    if np.ptp(scores) == 0 or np.ptp(targets) == 0:
        return None
    # A spread below the rounding of the mean is constant for every practical purpose, and scipy warns about it.
    with np.errstate(all="ignore"):
        value = np.corrcoef(scores, targets)[0, 1]
    return float(np.clip(value, -1.0, 1.0)) if np.isfinite(value) else None


def mean_and_std(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    """Mean and standard deviation (n - 1) of a criterion over the folds where it is defined; None of too few."""
    known = [value for value in values if value is not None]
    mean = float(np.mean(known)) if known else None
    return mean, float(np.std(known, ddof=1)) if len(known) > 1 else None


def _outlier_ratio(mapped: Array, targets: Array, target_std: Array | None) -> float | None:
    if target_std is None:
        return None
    known = np.isfinite(target_std)
    if not known.any():
        return None
    return float(np.mean(np.abs(mapped - targets)[known] > 2 * np.asarray(target_std)[known]))
