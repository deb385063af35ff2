"""Clouds on a grid of 2^bits voxels a side."""

import math

import numpy as np
from jaxtyping import Float

from pcqa.cloud import Cloud
from rankqa_datasets.errors import InputError

# Slack of the guess: a body in a 10-bit grid seldom fills it, and one that is a little larger than 2^9 is a 9-bit one.
SLACK = 10.0

# Enough for coordinates of 1e100.
MOST_BITS = 400


def voxel_coordinates(points: Float[np.ndarray, "p 3"], *, bits: int, input_bits: int) -> Float[np.ndarray, "p 3"]:
    """Points of a grid of `input_bits` moved to the nearest of a grid of `bits`: floor(x 2^(bits - input_bits) + 1/2).

    The grid is not shifted to the cloud, so that both clouds of a pair lie on one grid; a translation by anything but
    whole voxels changes the result. Points that fall together are not merged here.

    Raises:
        InputError: bits outside 1 to 400.
    """
    for given in (bits, input_bits):
        if not 1 <= given <= MOST_BITS:
            raise InputError(f"expected bits of a voxel grid from 1 to {MOST_BITS}, got {given}")
    return np.floor(points * 2.0 ** (bits - input_bits) + 0.5)


def guess_bits(cloud: Cloud) -> int:
    """Bits of the grid that a cloud of voxels came from: ceil(log2(longest side of its box - 10)).

    Source: the rule of the MS-PointSSIM program.

    Raises:
        InputError: the box is too small to be one of voxels.
    """
    side = float(np.ptp(cloud.points.astype(np.float64), axis=0).max())
    if not side > SLACK + 1:
        raise InputError(
            f"{cloud.name}: expected voxel coordinates to guess their bits from, got a box with a longest side of "
            f"{side:g}; scale both clouds alike to voxels, or give input_bits="
        )
    return math.ceil(math.log2(side - SLACK))
