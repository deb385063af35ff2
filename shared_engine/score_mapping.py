"""The mapping from scores to the subjective scale that precedes PLCC and RMSE.

The default is the four-parameter logistic of the VQEG, which is monotone by construction. Scores are standardised
first and several starts are tried: on raw scores a single start often fails or stops early.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeWarning, curve_fit
from scipy.special import expit

Array = NDArray[np.float64]
Form = Literal["logistic4", "logistic5", "cubic", "linear"]

# With fewer stimuli than this, four free parameters describe the noise; a straight line is fitted in their place.
MIN_STIMULI = 8


def _logistic4(x: Array, b1: float, b2: float, b3: float, b4: float) -> Array:
    # A zero width would divide by zero; this one is a step on any data.
    return (b1 - b2) * expit((x - b3) / max(abs(b4), 1e-9)) + b2


def _logistic5(x: Array, b1: float, b2: float, b3: float, b4: float, b5: float) -> Array:
    return b1 * (expit(b2 * (x - b3)) - 0.5) + b4 * x + b5


def _polynomial(x: Array, *coefficients: float) -> Array:
    return np.asarray(np.polyval(coefficients, x), np.float64)


FUNCTIONS: dict[Form, Callable[..., Array]] = {
    "logistic4": _logistic4,
    "logistic5": _logistic5,
    "cubic": _polynomial,
    "linear": _polynomial,
}


@dataclass(frozen=True, slots=True)
class Mapping:
    """A fitted mapping. `parameters` belong to x = (score - center) / scale."""

    form: Form
    parameters: tuple[float, ...]
    center: float
    scale: float

    def __call__(self, scores: Array) -> Array:
        """Scores (N,) on the scale of the targets."""
        x = (np.asarray(scores, np.float64) - self.center) / self.scale
        return FUNCTIONS[self.form](x, *self.parameters)


def fit_mapping(scores: Array, targets: Array, form: Form = "logistic4") -> Mapping:
    """The least-squares mapping of a form; the least-squares line where a logistic fits no better or N < 8.

    - `logistic4` (VQEG): q(x) = (b1 - b2) / (1 + exp(-(x - b3) / |b4|)) + b2.
    - `logistic5` (Sheikh et al. 2006): q(x) = b1 (1/2 - 1 / (1 + exp(b2 (x - b3)))) + b4 x + b5. Not always monotone.
    - `cubic`, `linear`: polynomials (ITU-T P.1401). A cubic is not always monotone.

    Args:
        scores: (N,) finite, not constant.
        targets: (N,) finite.
        form: the family that the mapping is sought in.

    Raises:
        ValueError: constant scores.
    """
    center, scale = float(np.mean(scores)), float(np.std(scores))
    if scale == 0:
        raise ValueError("constant scores cannot be mapped")
    x = (scores - center) / scale
    if len(x) < MIN_STIMULI:
        form = "linear"
    best = Mapping("linear", _coefficients(x, targets, 1), center, scale)
    if form == "linear":
        return best
    if form == "cubic":
        return Mapping("cubic", _coefficients(x, targets, 3), center, scale)
    best_error = _squared_error(best(scores), targets)
    for start in STARTS[form](x, targets):
        try:
            with warnings.catch_warnings():
                # Raised when the covariance is singular, for instance for a step; the parameters are still usable.
                warnings.simplefilter("ignore", OptimizeWarning)
                parameters, _ = curve_fit(FUNCTIONS[form], x, targets, p0=start, maxfev=20_000)
        except RuntimeError:  # this start did not converge, another may
            continue
        found = Mapping(form, tuple(float(p) for p in parameters), center, scale)
        error = _squared_error(found(scores), targets)
        if error < best_error:
            best, best_error = found, error
    return best


def _logistic4_starts(x: Array, targets: Array) -> list[tuple[float, ...]]:
    """The VQEG start with widths from a step to nearly a line, rising or falling as the data do."""
    high, low = float(np.max(targets)), float(np.min(targets))
    if np.dot(x, targets - targets.mean()) < 0:
        high, low = low, high
    return [(high, low, middle, width) for width in (0.25, 1.0, 4.0) for middle in (0.0, float(np.median(x)))]


def _logistic5_starts(x: Array, targets: Array) -> list[tuple[float, ...]]:
    """A logistic about the middle, at either end, steep and flat, on a line of either slope."""
    slope, offset = _coefficients(x, targets, 1)
    span = float(np.ptp(targets))
    middles = [float(m) for m in np.quantile(x, (0.05, 0.5, 0.95))]
    return [
        (height, steepness, middle, slope, offset)
        for height in (span, -span)
        for steepness in (0.5, 2.0, 8.0)
        for middle in middles
    ]


STARTS: dict[str, Callable[[Array, Array], list[tuple[float, ...]]]] = {
    "logistic4": _logistic4_starts,
    "logistic5": _logistic5_starts,
}


def _coefficients(x: Array, targets: Array, degree: int) -> tuple[float, ...]:
    return tuple(float(c) for c in np.polyfit(x, targets, degree))


def _squared_error(values: Array, targets: Array) -> float:
    return float(np.sum((values - targets) ** 2))
