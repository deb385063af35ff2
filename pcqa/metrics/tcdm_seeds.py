"""The points around which TCDM compares two clouds."""

import numpy as np
import torch
from jaxtyping import Float

from pcqa.cloud import Cloud
from pcqa.ops import farthest_points
from pcqa.ops.distinct_points import distinct_points
from rankqa_datasets.errors import InputError

SEEDS = 400
CANDIDATES = 10_000


def tcdm_seeds(cloud: Cloud, *, count: int = SEEDS, seed: int = 0) -> Float[np.ndarray, "count 3"]:
    """Points of the reference far from each other: farthest-point samples of 10,000 of its points drawn at random.

    As the program's FastFPS, with other random numbers. Repeated points count once, and the order of points in the file
    does not matter.

    Args:
        cloud: the reference.
        count: how many; the paper has 400.
        seed: of the draw, and with it of the first point.

    Raises:
        InputError: count is not positive, or the cloud has fewer different positions.
    """
    points = distinct_points(cloud.points.astype(np.float64))
    if not 1 <= count <= len(points):
        raise InputError(
            f"{cloud.name}: expected at least as many different positions as TCDM's seeds, got {len(points)} for "
            f"{count}"
        )
    size = min(len(points), max(CANDIDATES, count))
    candidates = points[np.random.default_rng(seed).choice(len(points), size, replace=False)]
    return candidates[farthest_points(torch.from_numpy(candidates[None]), count)[0].numpy()]
