"""A coloured cloud in an order of its own, whatever the order of its file."""

import numpy as np
from jaxtyping import Float

from pcqa.metrics.merged_points import rounded


def ordered_points(points: Float[np.ndarray, "p 3"], colors: Float[np.ndarray, "p 3"]) -> Float[np.ndarray, "p 6"]:
    """x, y, z and 8-bit red, green, blue a row, sorted by them from left to right; repeated points stay.

    Of equally near points a search takes the first, so that its order must not be the file's.

    Args:
        points: (P, 3).
        colors: (P, 3) in [0, 1].
    """
    rows = np.hstack((points, rounded(255 * colors.astype(np.float64))))
    return rows[np.lexsort(rows.T[::-1])]
