"""Parameters of distributions, by the moment estimates that natural scene statistics use."""

import numpy as np
from jaxtyping import Float
from scipy.special import gamma

# The shapes among which the generalised Gaussians choose, in steps of 0.001.
SHAPES = np.linspace(0.2, 10, 9801)
# E[x^2] / E[|x|]^2 of a generalised Gaussian of each shape; it falls as the shape rises.
RATIOS = gamma(1 / SHAPES) * gamma(3 / SHAPES) / gamma(2 / SHAPES) ** 2

BINS = 2000


def binned_entropy(values: Float[np.ndarray, " p"]) -> float:
    """Entropy in nats of the histogram with 2,000 equal bins from the least value to the largest; 0 of a constant.

    A value on an edge belongs to the bin below, as in pandas.
    """
    low, high = values.min(), values.max()
    edges = np.linspace(low, high, BINS + 1)
    # The least value belongs to the first bin.
    bins = np.maximum(np.searchsorted(edges, values, side="left"), 1)
    shares = np.bincount(bins) / len(values)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum()) if high > low else 0.0


def fit_ggd(values: Float[np.ndarray, " p"]) -> tuple[float, float]:
    """Shape in [0.2, 10] and root mean square of a generalised Gaussian about zero.

    The shape is that whose E[x^2] / E[|x|]^2 is nearest to the values' (Sharifi and Leon-Garcia, 1995).
    """
    mean_square = np.mean(values**2)
    ratio = mean_square / np.mean(np.abs(values)) ** 2
    return float(SHAPES[np.abs(RATIOS - ratio).argmin()]), float(np.sqrt(mean_square))


def fit_aggd(values: Float[np.ndarray, " p"]) -> tuple[float, float, float, float]:
    """Shape in [0.2, 10], mean, and left and right deviation of an asymmetric generalised Gaussian with its mode at 0.

    By moments, as in BRISQUE (Mittal et al., IEEE TIP 2012; Lasmar et al., 2009). The mean is
    (right - left) Gamma(2/a) / sqrt(Gamma(1/a) Gamma(3/a)) for the shape a.

    Args:
        values: some below zero and some above.
    """
    left = np.sqrt(np.mean(values[values < 0] ** 2))
    right = np.sqrt(np.mean(values[values > 0] ** 2))
    skew = left / right
    ratio = np.mean(np.abs(values)) ** 2 / np.mean(values**2)
    ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    nearest = np.abs(1 / RATIOS - ratio).argmin()
    mean = (right - left) / np.sqrt(RATIOS[nearest])
    return float(SHAPES[nearest]), float(mean), float(left), float(right)


def fit_gamma(values: Float[np.ndarray, " p"]) -> tuple[float, float]:
    """Shape and scale of the Gamma distribution with the values' mean and variance.

    Args:
        values: with a positive mean, and not all equal.
    """
    mean, variance = values.mean(), values.var()
    return float(mean**2 / variance), float(variance / mean)
