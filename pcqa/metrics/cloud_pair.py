"""A reference and a distorted cloud, with what several metrics need of both computed once."""

from functools import cached_property

import numpy as np

from pcqa.cloud import Cloud
from pcqa.metrics.point_set import PointSet
from rankqa_datasets.errors import InputError


class CloudPair:
    """What every full-reference cloud metric takes.

    Trees, neighbours and merged clouds are made when the first metric asks, and kept for the others.

    Args:
        reference: the pristine cloud, A in the papers.
        distorted: the cloud to judge, B in the papers, in the same unit.
    """

    def __init__(self, reference: Cloud, distorted: Cloud) -> None:
        self.reference = reference
        self.distorted = distorted

    @cached_property
    def reference_points(self) -> PointSet:
        """All points of the reference in file order, float64."""
        return PointSet(self.reference.points.astype(np.float64))

    @cached_property
    def distorted_points(self) -> PointSet:
        """All points of the distorted cloud in file order, float64."""
        return PointSet(self.distorted.points.astype(np.float64))

    def require_colors(self, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """Both clouds' (P, 3) float32 colours in [0, 1].

        Raises:
            InputError: a cloud has none; the message names `metric`.
        """
        reference, distorted = (_colors(cloud, metric) for cloud in (self.reference, self.distorted))
        return reference, distorted


def _colors(cloud: Cloud, metric: str) -> np.ndarray:
    if cloud.colors is None:
        raise InputError(f"{cloud.name}: {metric} compares colours, and the cloud has none; leave {metric} out")
    return cloud.colors
