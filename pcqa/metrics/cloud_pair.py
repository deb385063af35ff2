"""A reference and a distorted cloud, with what several metrics need of both computed once."""

from collections.abc import Hashable
from functools import cached_property

import numpy as np

from pcqa.cloud import Cloud
from pcqa.metrics.merged_cloud import MergedCloud, merged_cloud
from pcqa.metrics.nearest_ties import NearestTies, nearest_ties
from pcqa.metrics.point_set import PointSet
from pcqa.metrics.view_pair import ViewPair
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

    @cached_property
    def merged_reference(self) -> MergedCloud:
        """The reference's distinct float32 points, sorted, as pc_error and its relatives take them."""
        return merged_cloud(self.reference)

    @cached_property
    def merged_distorted(self) -> MergedCloud:
        """The distorted cloud's distinct float32 points, sorted."""
        return merged_cloud(self.distorted)

    @cached_property
    def ties_ab(self) -> NearestTies:
        """For each point of `merged_reference`, its nearest points of `merged_distorted`, ties included."""
        return nearest_ties(self.merged_reference, self.merged_distorted)

    @cached_property
    def ties_ba(self) -> NearestTies:
        """For each point of `merged_distorted`, its nearest points of `merged_reference`, ties included."""
        return nearest_ties(self.merged_distorted, self.merged_reference)

    @cached_property
    def drawn_views(self) -> dict[Hashable, list[ViewPair]]:
        """Views of both clouds by the options they were drawn with; `pcqa.metrics.view_pairs` fills it."""
        return {}

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
