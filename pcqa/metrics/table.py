"""All full-reference cloud metrics that are one number, by name, with one direction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pcqa.cloud import Cloud
from pcqa.metrics.angular_similarity import angular_similarity
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.color_error import color_error
from pcqa.metrics.graph_sim import graph_sim
from pcqa.metrics.mped import mped
from pcqa.metrics.ms_graph_sim import ms_graph_sim
from pcqa.metrics.ms_point_ssim import ms_point_ssim
from pcqa.metrics.pcqm import pcqm
from pcqa.metrics.point_ssim import point_ssim
from pcqa.metrics.point_to_distribution import point_to_distribution
from pcqa.metrics.point_to_plane import d2
from pcqa.metrics.point_to_point import d1
from pcqa.metrics.projected_psnr import projected_psnr
from pcqa.metrics.tcdm import tcdm

Need = Literal["colors", "normals", "reference_normals"]


@dataclass(frozen=True)
class Metric:
    """A metric as `function(pair, **options)`, to a record of all its values.

    Attributes:
        function: its docstring has options, units and source.
        field: the value of the record that is the score.
        needs: what the clouds must have beyond points.
        is_distance: whether lower is better for that field; the score is then its negative.
    """

    function: Callable[..., Any]
    field: str
    needs: tuple[Need, ...] = ()
    is_distance: bool = False

    def fits(self, pair: CloudPair, options: Mapping[str, Any]) -> bool:
        """Whether the clouds have what the metric needs, or the options allow to estimate it."""
        # Those that know the option need normals and nothing else.
        return bool(options.get("estimate_normals")) or all(_HAS[need](pair) for need in self.needs)


def _colored(cloud: Cloud) -> bool:
    return cloud.colors is not None


_HAS: dict[Need, Callable[[CloudPair], bool]] = {
    "colors": lambda pair: _colored(pair.reference) and _colored(pair.distorted),
    "normals": lambda pair: pair.reference.normals is not None and pair.distorted.normals is not None,
    "reference_normals": lambda pair: pair.reference.normals is not None,
}

METRICS = {
    "d1": Metric(d1, "psnr"),
    "d2": Metric(d2, "psnr", ("reference_normals",)),
    "yuv": Metric(color_error, "combined_psnr", ("colors",)),
    "pcqm": Metric(pcqm, "pcqm", ("colors",), is_distance=True),
    "p2d": Metric(point_to_distribution, "geometry_log"),
    "p2d-joint": Metric(point_to_distribution, "joint_log", ("colors",)),
    "angular": Metric(angular_similarity, "mean", ("normals",)),
    "pointssim": Metric(point_ssim, "similarity", ("colors",)),
    "ms-pointssim": Metric(ms_point_ssim, "similarity", ("colors",)),
    "graphsim": Metric(graph_sim, "similarity", ("colors",)),
    "ms-graphsim": Metric(ms_graph_sim, "similarity", ("colors",)),
    "mped": Metric(mped, "difference", ("colors",), is_distance=True),
    "tcdm": Metric(tcdm, "similarity", ("colors",)),
    "projected-psnr": Metric(projected_psnr, "score"),
}

DEFAULT = ("d1", "d2", "yuv", "pcqm")
"""What is computed where no names are given, as far as the clouds have what they need."""
