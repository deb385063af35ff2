"""Local graphs of both clouds of a pair around points of the reference."""

import numpy as np
from jaxtyping import Float

from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.coordinate_limit import require_moderate_coordinates
from pcqa.metrics.local_graph import GraphSource, LocalGraph
from pcqa.metrics.merged_points import rounded
from rankqa_datasets.errors import InputError


class GraphPairs:
    """Where GraphSIM and MS-GraphSIM take their graphs from.

    Args:
        pair: both with colours.
        metric: its name, for messages.
        reach: radius of the search around a key point. Default: a tenth of the shortest side of the reference's box,
            rounded down.

    Raises:
        InputError: no colours, coordinates beyond 1e100, a `reach` that is not positive, or none given and a box whose
            shortest side is under 10.
    """

    def __init__(self, pair: CloudPair, metric: str, reach: float | None) -> None:
        require_moderate_coordinates(pair.reference, pair.distorted)
        colors, distorted_colors = pair.require_colors(metric)
        self._reach = _default_reach(pair, metric) if reach is None else reach
        if not 0 < self._reach < np.inf:
            raise InputError(f"{metric} expected a positive, finite reach, got {self._reach:g}")
        self._points = pair.reference.points
        self._colors = colors
        self._reference = GraphSource(pair.reference, colors)
        self._distorted = GraphSource(pair.distorted, distorted_colors)

    def around(self, row: int | np.integer) -> tuple[LocalGraph, LocalGraph, Float[np.ndarray, "3"]]:
        """The graphs of reference and distorted cloud around a row of the reference, and its colour, 0 to 255."""
        center = self._points[row].astype(np.float64)
        rgb = rounded(255 * self._colors[row].astype(np.float64))
        a, b = (source.graph(center, rgb, self._reach) for source in (self._reference, self._distorted))
        return a, b, rgb


def _default_reach(pair: CloudPair, metric: str) -> float:
    side = float(np.ptp(pair.reference.points.astype(np.float64), axis=0).min())
    if side < 10:
        raise InputError(
            f"{pair.reference.name}: {metric} looks at a tenth of the shortest side of the box, rounded down, which is "
            f"0 for a side of {side:g}; give reach= or scale both clouds alike"
        )
    return float(np.floor(side / 10))
