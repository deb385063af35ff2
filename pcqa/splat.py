"""How large a point must be drawn so that a surface of points looks closed."""

import math

import numpy as np
from jaxtyping import Float
from scipy.spatial import KDTree

from pcqa.ops.distinct_points import distinct_points
from rankqa_datasets.errors import InputError

# The median needs no more; a query for each of a million points takes seconds.
MAX_QUERIES = 10_000


def splat_from_reference(points: Float[np.ndarray, "p 3"], *, pixels_per_unit: float, c: float = 1.5) -> int:
    """Side in pixels of the square for each point: ceil(c x median nearest-neighbour distance x pixels per unit).

    Take the points of the reference and use the result for all stimuli of its content. Taken from a distorted cloud
    it would close exactly the holes that down-sampling opens.

    Args:
        points: (P, 3) of the reference; equal points count once.
        pixels_per_unit: scale of the views, `frame.pixels_per_unit(size)`.
        c: margin. A lattice seen along an axis is closed from 1 on; seen along a diagonal its rows are up to 1.7 times
            as far apart.

    Raises:
        InputError: fewer than two different points.
    """
    return max(1, math.ceil(c * median_spacing(points) * pixels_per_unit))


def median_spacing(points: Float[np.ndarray, "p 3"]) -> float:
    """The median distance of a cloud's points, equal ones once, to their nearest neighbours.

    Raises:
        InputError: fewer than two different points.
    """
    distinct = distinct_points(points)
    if len(distinct) < 2:
        raise InputError(f"the splat size needs two different points, got {len(distinct)} among {len(points)}")
    step = math.ceil(len(distinct) / MAX_QUERIES)
    distances, _ = KDTree(distinct).query(distinct[::step], k=2, workers=-1)
    return float(np.median(distances[:, 1]))
