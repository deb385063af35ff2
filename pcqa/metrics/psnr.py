"""Peak signal-to-noise ratio of a mean squared error."""

import math


def psnr(mse: float, peak: float, *, factor: float = 1.0) -> float:
    """10 log10(factor peak^2 / mse) in dB, inf for an error of 0; higher is better.

    Args:
        mse: the error, >= 0, in squared units of the peak.
        peak: the largest value, > 0.
        factor: 3 for geometry, as the pc_error program has it (an error along all three axes), else 1.
    """
    if mse == 0:
        return math.inf
    # Sums of logarithms: the square of a large peak would overflow.
    return 10 * math.log10(factor) + 20 * math.log10(peak) - 10 * math.log10(mse)
