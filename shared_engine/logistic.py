"""The monotone mapping from scores to the subjective scale that precedes PLCC and RMSE.

Four-parameter logistic of the VQEG: q(x) = (b1 - b2) / (1 + exp(-(x - b3) / |b4|)) + b2. Scores are standardised
first and several starts are tried: on raw scores a single start often fails or stops early.
"""

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeWarning, curve_fit
from scipy.special import expit

Array = NDArray[np.float64]

# With fewer stimuli than this, four free parameters describe the noise; a straight line is fitted in their place.
MIN_STIMULI = 8


@dataclass(frozen=True, slots=True)
class Mapping:
    """A fitted mapping. `parameters` belong to x = (score - center) / scale."""

    form: Literal["logistic4", "linear"]
    parameters: tuple[float, ...]
    center: float
    scale: float

    def __call__(self, scores: Array) -> Array:
        """Scores (N,) on the scale of the targets."""
        x = (np.asarray(scores, np.float64) - self.center) / self.scale
        return _logistic4(x, *self.parameters) if self.form == "logistic4" else _linear(x, *self.parameters)


def fit_mapping(scores: Array, targets: Array) -> Mapping:
    """The least-squares four-parameter logistic, or the least-squares line where the logistic fits no better or N < 8.

    Args:
        scores: (N,) finite, not constant.
        targets: (N,) finite.

    Raises:
        ValueError: constant scores.
    """
    center, scale = float(np.mean(scores)), float(np.std(scores))
    if scale == 0:
        raise ValueError("constant scores cannot be mapped")
    x = (scores - center) / scale
    slope, offset = np.polyfit(x, targets, 1)
    best, best_error = (float(slope), float(offset)), _squared_error(_linear(x, slope, offset), targets)
    form: Literal["logistic4", "linear"] = "linear"
    for start in _starts(x, targets) if len(x) >= MIN_STIMULI else ():
        try:
            with warnings.catch_warnings():
                # Raised when the covariance is singular, for instance for a step; the parameters are still usable.
                warnings.simplefilter("ignore", OptimizeWarning)
                parameters, _ = curve_fit(_logistic4, x, targets, p0=start, maxfev=20_000)
        except RuntimeError:  # this start did not converge, another may
            continue
        error = _squared_error(_logistic4(x, *parameters), targets)
        if error < best_error:
            form, best, best_error = "logistic4", tuple(float(p) for p in parameters), error
    return Mapping(form, best, center, scale)


def _starts(x: Array, targets: Array) -> list[tuple[float, ...]]:
    """The VQEG start with widths from a step to nearly a line, rising or falling as the data do."""
    high, low = float(np.max(targets)), float(np.min(targets))
    if np.dot(x, targets - targets.mean()) < 0:
        high, low = low, high
    return [(high, low, middle, width) for width in (0.25, 1.0, 4.0) for middle in (0.0, float(np.median(x)))]


def _logistic4(x: Array, b1: float, b2: float, b3: float, b4: float) -> Array:
    # A zero width would divide by zero; this one is a step on any data.
    return (b1 - b2) * expit((x - b3) / max(abs(b4), 1e-9)) + b2


def _linear(x: Array, slope: float, offset: float) -> Array:
    return slope * x + offset


def _squared_error(values: Array, targets: Array) -> float:
    return float(np.sum((values - targets) ** 2))
