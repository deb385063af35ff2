"""What D1 and the colour error average, point by point: to be drawn on the clouds."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.color_error import average_tied_colors, rgb_to_ycbcr
from pcqa.metrics.merged_cloud import MergedCloud
from pcqa.metrics.nearest_ties import NearestTies


@dataclass(frozen=True, eq=False)
class PointErrors:
    """`_ab` has one number for each row of the pair's `merged_reference`, `_ba` of `merged_distorted`; 0 is best.

    Attributes:
        distance_ab, distance_ba: (A,) and (B,) distance to the nearest point of the other cloud, in the clouds' unit.
            The means of the squares are `d1`'s `mse_ab` and `mse_ba`.
        color_ab, color_ba: (A,) and (B,) difference of colour to the nearest point of the other cloud (to the mean
            colour of several equally near), sqrt((6 dY^2 + dCb^2 + dCr^2) / 8), BT.709 in levels of 0..255. The mean of
            the squares is 255^2 times that mean of `color_error`'s three `mse_ab`. None if a cloud has no colours.
    """

    distance_ab: Float64[np.ndarray, " a"]
    distance_ba: Float64[np.ndarray, " b"]
    color_ab: Float64[np.ndarray, " a"] | None
    color_ba: Float64[np.ndarray, " b"] | None


def point_errors(pair: CloudPair) -> PointErrors:
    """The errors of all points, from the neighbours that `d1` and `color_error` search and the pair keeps.

    Raises:
        InputError: coordinates, or differences of them, beyond float32.
    """
    a, b = pair.merged_reference, pair.merged_distorted
    return PointErrors(
        distance_ab=np.sqrt(pair.ties_ab.squares),
        distance_ba=np.sqrt(pair.ties_ba.squares),
        color_ab=_color_differences(a, b, pair.ties_ab),
        color_ba=_color_differences(b, a, pair.ties_ba),
    )


def _color_differences(cloud: MergedCloud, other: MergedCloud, ties: NearestTies) -> Float64[np.ndarray, " q"] | None:
    if cloud.colors is None or other.colors is None:
        return None
    matched = average_tied_colors(other.colors, np.ones_like(other.counts), ties)
    channels = zip(rgb_to_ycbcr(cloud.colors), rgb_to_ycbcr(matched), strict=True)
    luma, blue, red = (np.square(ours - theirs).astype(np.float64) for ours, theirs in channels)
    return 255 * np.sqrt((6 * luma + blue + red) / 8)
