"""Brightness and contrast distortions of KADID-10k.

The official program moreover stretches each image to the full range, before and after. That is left out: it would turn
a mean shift into a gain.
"""

import numpy as np
from jaxtyping import Float, UInt8
from scipy.interpolate import CubicSpline

from imgqa.distortions.color_spaces import lab_from_rgb, rgb_from_lab
from imgqa.distortions.pixels import from_unit, to_unit


def brighten(image: UInt8[np.ndarray, "H W 3"], amount: float, rng: np.random.Generator) -> UInt8[np.ndarray, "H W 3"]:
    """The curve that lifts 0.5 by amount/2, on R, G, B (two thirds) and on L* (one third)."""
    unit = to_unit(image)
    lab = lab_from_rgb(unit)
    lab[..., 0] = 100 * _parabola(lab[..., 0] / 100, amount)
    return from_unit((2 * _parabola(unit, amount) + rgb_from_lab(lab)) / 3)


def darken(image: UInt8[np.ndarray, "H W 3"], amount: float, rng: np.random.Generator) -> UInt8[np.ndarray, "H W 3"]:
    """The curve that lowers 0.5 by amount/2, on R, G, B."""
    return from_unit(_parabola(to_unit(image), -amount))


def mean_shift(
    image: UInt8[np.ndarray, "H W 3"], amount: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "H W 3"]:
    """`amount` (of 1) added to each value."""
    return from_unit(to_unit(image) + amount)


def contrast(image: UInt8[np.ndarray, "H W 3"], amount: float, rng: np.random.Generator) -> UInt8[np.ndarray, "H W 3"]:
    """The cubic spline through (0, 0), (0.3, 0.25 - amount/4), (0.5, 0.5), (0.7, 0.75 + amount/4), (1, 1).

    At amount 0 contrast rises already; below about -0.2 it falls.
    """
    curve = CubicSpline([0, 0.3, 0.5, 0.7, 1], [0, 0.25 - amount / 4, 0.5, 0.75 + amount / 4, 1])
    return from_unit(curve(to_unit(image)))


def _parabola(values: Float[np.ndarray, "*S"], amount: float) -> Float[np.ndarray, "*S"]:
    """The parabola through (0, 0), (0.5, 0.5 + amount/2), (1, 1), clipped to [0, 1]."""
    return np.clip(values + 2 * amount * values * (1 - values), 0, 1)
