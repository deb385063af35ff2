"""Holm's correction for several tests at once."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p-values (K,), in the order given: those below 0.05 may all be claimed, with a chance of 5 % that any
    claim is false, however the tests depend on each other.

    The j-th smallest of K is multiplied by K - j + 1, no result being smaller than that of a smaller p. Holm,
    Scandinavian Journal of Statistics 6 (1979).

    Args:
        p_values: (K,) in [0, 1].
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted
