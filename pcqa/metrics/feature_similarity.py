"""Likeness of two features that belong together, point by point, and its mean over a cloud."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, " p"]

# Keeps 0 against 0 from dividing: twice 0 is no error.
EPSILON = float(np.finfo(np.float64).eps)


def feature_similarity(x: Values, y: Values) -> Values:
    """1 - |x - y| / (max(|x|, |y|) + eps): 1 for equal values, 0 for zero against any other, -1 at the least."""
    return 1 - np.abs(x - y) / (np.maximum(np.abs(x), np.abs(y)) + EPSILON)


# Of similarities. The names are those of Alexiou and Ebrahimi's paper and program.
POOLINGS: dict[str, Callable[[Values], float]] = {
    "Mean": lambda values: float(values.mean()),
    "MSE": lambda values: float(np.square(values).mean()),
    "RMSE": lambda values: float(np.sqrt(np.square(values).mean())),
}
