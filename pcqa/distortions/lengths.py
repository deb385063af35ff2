"""The lengths by which distortions of geometry are measured."""

import numpy as np

from pcqa.cloud import Cloud
from rankqa_datasets.errors import InputError

# Moved points must fit float32, whose largest number is 3.4e38.
LARGEST = 1e35

# Below it, cells of a grid may have a side that float32 cannot hold.
SMALLEST_SIDE = 1e-30

# Grids of at most 20 bits an axis: three such numbers fit one of 63 bits.
FINEST_BITS = 20


def require_moderate_lengths(cloud: Cloud) -> None:
    """Refuses coordinates near the ends of the numbers; a cloud of equal points is none.

    Raises:
        InputError: a coordinate is beyond 1e35, or the longest side is below 1e-30 but not 0.
    """
    largest = float(np.abs(cloud.points).max())
    if largest > LARGEST:
        raise InputError(f"{cloud.name}: expected coordinates within {LARGEST:g}, got {largest:g}; scale the cloud")
    side = longest_side(cloud)
    if 0 < side < SMALLEST_SIDE:
        raise InputError(f"{cloud.name}: expected a longest side of at least {SMALLEST_SIDE:g}, got {side:g}; scale it")


def longest_side(cloud: Cloud) -> float:
    """Of the bounding box, in the cloud's unit; 0 if all points are equal."""
    return float(np.ptp(cloud.points, axis=0).max())


def voxel_size(cloud: Cloud) -> float:
    """The step of the grid on which a codec would see the cloud.

    1 where all coordinates are whole numbers, as in voxelised clouds; else that of a 10-bit grid, 1/1023 of the longest
    side. 0 if all points are equal and not on whole numbers.
    """
    side = longest_side(cloud)
    whole = side < 2**FINEST_BITS and np.array_equal(cloud.points, np.rint(cloud.points))
    return 1.0 if whole else side / 1023
