"""A distorted cloud beside its reference: points, colours, errors and scores, ready to be drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64, UInt8

from pcqa.cloud import Cloud
from pcqa.frame import Frame, fit_frame
from pcqa.io import read_cloud
from pcqa.metrics import score
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.merged_cloud import MergedCloud
from pcqa.metrics.point_errors import point_errors
from pcqa.metrics.score import fitting_metrics
from pcqa.normal_colors import normal_colors
from pcqa.splat import median_spacing
from pcqa.views import axis_views
from rankqa_cli.cloud_metrics import CLOUD_METRICS
from rankqa_cli.comparison_scores import ComparisonScore
from rankqa_cli.error_colors import ErrorScale

DEFAULT = ("d1", "yuv", "pcqm")
# Points further than this many radii of the reference from its centre are not drawn: they would shrink all others.
FAR = 10.0


@dataclass(frozen=True, eq=False)
class ShownCloud:
    """The distinct points of a cloud.

    Attributes:
        name: its file.
        points: (M, 3) in the file's unit.
        colors: (M, 3) its own; of one without, the direction of its surface.
        has_colors: whether they are its own.
        errors: name of a scale of the comparison -> (M,) error of each point to the other cloud.
        drawn: (D,) rows near enough to be drawn.
    """

    name: str
    points: Float32[np.ndarray, "m 3"]
    colors: UInt8[np.ndarray, "m 3"]
    has_colors: bool
    errors: dict[str, Float64[np.ndarray, " m"]]
    drawn: Int64[np.ndarray, " d"]

    def caption(self, shown: int) -> str:
        """How many points there are, how many are `shown`, and what the errors come to."""
        count = f"{len(self.points):,} distinct points"
        if shown < len(self.drawn):
            count += f", {shown:,} drawn at random"
        if len(self.drawn) < len(self.points):
            count += f", {len(self.points) - len(self.drawn):,} far outside not drawn"
        if not self.has_colors:
            count += "; no colours: drawn by the direction of the surface"
        return count


@dataclass(frozen=True, eq=False)
class CloudComparison:
    """Two clouds in one frame, and their numbers.

    Attributes:
        clouds: the reference and the distorted cloud.
        scales: "distance" and, where both have colours, "color" -> what its colours stand for, one for both clouds.
        frame: around the reference.
        scores: of the distorted cloud.
    """

    clouds: tuple[ShownCloud, ShownCloud]
    scales: dict[str, ErrorScale]
    frame: Frame
    scores: Sequence[ComparisonScore]

    @cached_property
    def spacing(self) -> float:
        """The median distance of the reference's points to their nearest neighbours."""
        return median_spacing(self.clouds[0].points)


def compare_clouds(
    reference: Path, distorted: Path, metrics: Sequence[str] | None, other_scores: Sequence[ComparisonScore] = ()
) -> CloudComparison:
    """Reads both and computes metrics of CLOUD_METRICS; by default those of DEFAULT that fit.

    `other_scores` stand below those.

    Raises:
        InputError: a file that cannot be read, a metric that cannot be computed, a reference of one point.
    """
    clouds = read_cloud(reference), read_cloud(distorted)
    pair = CloudPair(*clouds)
    frame = fit_frame(torch.from_numpy(clouds[0].points), axis_views(), name=clouds[0].name)
    names = fitting_metrics(pair, DEFAULT, {}, CLOUD_METRICS) if metrics is None else metrics
    scores = [
        ComparisonScore(_label(name), one.score, values={f"{name}.{key}": value for key, value in one.values.items()})
        for name, one in score(*clouds, metrics=names, table=CLOUD_METRICS).items()
    ]
    errors = point_errors(pair)
    sides = [{"distance": errors.distance_ab}, {"distance": errors.distance_ba}]
    scales = {
        "distance": ErrorScale.of("Distance to the other cloud (D1)", "units of the file", *_both(sides, "distance"))
    }
    if errors.color_ab is not None and errors.color_ba is not None:
        sides[0]["color"], sides[1]["color"] = errors.color_ab, errors.color_ba
        scales["color"] = ErrorScale.of(
            "Colour difference (Y:Cb:Cr 6:1:1)", "levels of 0 to 255", *_both(sides, "color")
        )
    merged = pair.merged_reference, pair.merged_distorted
    shown = [_shown(cloud, side, frame) for cloud, side in zip(merged, sides, strict=True)]
    return CloudComparison((shown[0], shown[1]), scales, frame, [*scores, *other_scores])


def _label(name: str) -> str:
    metric = CLOUD_METRICS[name]
    return f"{'-' if metric.is_distance else ''}{name}.{metric.field}"


def _both(sides: Sequence[dict[str, np.ndarray]], name: str) -> list[np.ndarray]:
    return [side[name] for side in sides]


def _shown(cloud: MergedCloud, errors: dict[str, np.ndarray], frame: Frame) -> ShownCloud:
    colors = cloud.colors
    if colors is None:
        colors = np.rint(255 * normal_colors(Cloud(cloud.points))).astype(np.uint8)
    away = abs(cloud.points.astype(np.float64) - frame.center).max(axis=1)
    drawn = np.flatnonzero(away <= FAR * frame.radius)
    return ShownCloud(cloud.name, cloud.points, colors, cloud.colors is not None, errors, drawn)
