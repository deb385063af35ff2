"""MS-PointSSIM: structural similarity of clouds on grids of several voxel sizes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.coordinate_limit import require_moderate_coordinates
from pcqa.metrics.dispersion import median_deviation
from pcqa.metrics.feature_similarity import feature_similarity
from pcqa.metrics.luminance import luminance
from pcqa.metrics.merged_points import merge_points
from pcqa.metrics.nearest_row import nearest_row
from pcqa.metrics.point_set import PointSet
from pcqa.metrics.voxelization import guess_bits, voxel_coordinates
from rankqa_datasets.errors import InputError

# Weight of the scale with so many bits.
WEIGHTS = {6: 0.789, 8: 0.053, 9: 0.070, 10: 0.088}

# A voxel and those that share a face with it; the next ones are at a distance of 1.41.
NEIGHBORHOOD, REACH = 7, 1.2


@dataclass(frozen=True)
class MsPointSsim:
    """MS-PointSSIM values; higher is better, 1 for a cloud and itself.

    Attributes:
        similarity_ab: weighted sum over the scales, each reference voxel with its nearest distorted one.
        similarity_ba: weighted sum over the scales, each distorted voxel with its nearest reference one.
        similarity: weighted sum of each scale's smaller direction; at most the smaller of the two sums.
        similarity_6, similarity_8, similarity_9, similarity_10: smaller direction on the grid of so many bits.
    """

    similarity_ab: float
    similarity_ba: float
    similarity: float
    similarity_6: float
    similarity_8: float
    similarity_9: float
    similarity_10: float


def ms_point_ssim(pair: CloudPair, *, input_bits: int | None = None) -> MsPointSsim:
    """PointSSIM of luminance on grids of 6, 8, 9 and 10 bits, weighted .789, .053, .070 and .088.

    On each grid, points in one voxel become one with their mean colour, rounded to 8 bits. A voxel's set is its own
    luma (BT.709, rounded) and those of the occupied voxels within a distance of 1, six at most. The dispersion is the
    median absolute deviation, the pooling the mean; similarity and direction as in `point_ssim`. A grid finer than the
    input's has no such neighbours: its sets have one value, its similarity is 1.

    Source: Lazzarotto and Ebrahimi, MS-PointSSIM, 2022, with the constants of its program. Reconstruction: both clouds
    take the grid of the reference, which is not shifted, and the smaller direction is taken at each scale.

    Args:
        pair: both with colours, in voxels of a grid of 2^input_bits a side.
        input_bits: bits of that grid. Default: ceil(log2(longest side of the reference's box - 10)).

    Raises:
        InputError: no colours, coordinates beyond 1e100, bits outside 6 to 400, or a box too small to guess them from.
    """
    require_moderate_coordinates(pair.reference, pair.distorted)
    pair.require_colors("MS-PointSSIM")
    if input_bits is None:
        input_bits = guess_bits(pair.reference)
    if input_bits < min(WEIGHTS):
        raise InputError(
            f"{pair.reference.name}: MS-PointSSIM expected voxels of a grid of at least {min(WEIGHTS)} bits, got "
            f"{input_bits}, where no set has a neighbour and all values are 1; scale both clouds alike, or give "
            f"input_bits="
        )
    directions = {bits: _directions(pair, bits, input_bits) for bits in WEIGHTS}
    return MsPointSsim(
        similarity_ab=sum(weight * directions[bits][0] for bits, weight in WEIGHTS.items()),
        similarity_ba=sum(weight * directions[bits][1] for bits, weight in WEIGHTS.items()),
        similarity=sum(weight * min(directions[bits]) for bits, weight in WEIGHTS.items()),
        similarity_6=min(directions[6]),
        similarity_8=min(directions[8]),
        similarity_9=min(directions[9]),
        similarity_10=min(directions[10]),
    )


def _directions(pair: CloudPair, bits: int, input_bits: int) -> tuple[float, float]:
    (a, spread_a), (b, spread_b) = (
        _spreads(cloud.points.astype(np.float64), colors, bits, input_bits)
        for cloud, colors in zip((pair.reference, pair.distorted), pair.require_colors("MS-PointSSIM"), strict=True)
    )
    ab = feature_similarity(spread_a, spread_b[nearest_row(b, a)]).mean()
    ba = feature_similarity(spread_b, spread_a[nearest_row(a, b)]).mean()
    return float(ab), float(ba)


def _spreads(
    points: Float[np.ndarray, "p 3"], colors: Float[np.ndarray, "p 3"], bits: int, input_bits: int
) -> tuple[PointSet, Float[np.ndarray, " voxels"]]:
    merged = merge_points(voxel_coordinates(points, bits=bits, input_bits=input_bits), colors)
    voxels, luma = PointSet(merged.points), luminance(merged.rgb)
    found = voxels.tree.query(merged.points, k=NEIGHBORHOOD, distance_upper_bound=REACH, workers=-1)
    distances, rows = (np.asarray(part) for part in found)
    # The nearest come first, so that a set of n values is the first n of its row.
    sizes = np.isfinite(distances).sum(axis=1)
    spread = np.empty(len(luma))
    for size in range(1, NEIGHBORHOOD + 1):
        alike = sizes == size
        spread[alike] = median_deviation(luma[rows[alike, :size]]) if alike.any() else 0
    return voxels, spread
