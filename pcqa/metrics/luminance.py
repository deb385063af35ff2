"""Luminance as the structural similarities of clouds see it."""

import numpy as np
from jaxtyping import Float

from pcqa.metrics.merged_points import rounded


def luminance(rgb: Float[np.ndarray, "p 3"]) -> Float[np.ndarray, " p"]:
    """BT.709 luma of 8-bit colours, rounded to whole numbers from 0 to 255."""
    # Not a matrix product: its rounding could differ between machines, and a half would then round differently.
    return rounded(0.2126 * rgb[:, 0] + 0.7152 * rgb[:, 1] + 0.0722 * rgb[:, 2])
