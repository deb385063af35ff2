"""Coordinates whose squares can be summed."""

import numpy as np

from pcqa.cloud import Cloud
from rankqa_datasets.errors import InputError

LARGEST = 1e100


def require_moderate_coordinates(*clouds: Cloud) -> None:
    """Refuses coordinates whose squares would overflow.

    Raises:
        InputError: a coordinate is beyond 1e100.
    """
    for cloud in clouds:
        largest = float(np.abs(cloud.points).max())
        if largest > LARGEST:
            raise InputError(f"{cloud.name}: expected coordinates within {LARGEST:g}, got {largest:g}; scale the cloud")
