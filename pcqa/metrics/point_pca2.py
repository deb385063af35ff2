"""PointPCA2: 40 predictors of quality from neighbourhoods seen along the reference's principal axes."""

from dataclasses import astuple, dataclass, fields

import numpy as np
from jaxtyping import Float

from pcqa.cloud import Cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.coordinate_limit import require_moderate_coordinates
from pcqa.metrics.merged_points import MergedPoints, merge_points, rounded
from pcqa.metrics.point_set import PointSet
from pcqa.metrics.principal_axes import Neighborhoods, compare_neighborhoods
from pcqa.metrics.tied_neighbors import nearest_lowest_row
from rankqa_datasets.errors import InputError

NEIGHBORS = 81
# Reference points whose neighbours are held at once: 16384 x 96 distances and rows are 25 MB.
CHUNK = 16384
EPS = float(np.finfo(np.float64).eps)

# BT.709 as the program has it: the last row's 0.0468 is the standard's 0.0458.
RGB_TO_YUV = np.array([[0.2126, 0.7152, 0.0722], [-0.1146, -0.3854, 0.5], [0.5, -0.4542, -0.0468]])
YUV_OFFSET = np.array([0, 128, 128])


@dataclass(frozen=True)
class PointPCA2:
    """The 40 predictors, in the paper's order; there is no single score.

    Each is a mean over the points of the reference. Lengths are in the cloud's unit, axes 1, 2, 3 are the principal
    axes of the reference's neighbourhood (longest first), and the origin is its centroid. A similarity is
    1 - |a - b| / (|a| + |b| + eps), 1 for equal statistics; higher is better for a similarity, lower for the others.

    Attributes:
        mean_y, mean_u, mean_v: similarity of mean colours (1-3).
        variance_y, variance_u, variance_v: similarity of variances (4-6).
        decorrelation_y, decorrelation_u, decorrelation_v: |s_a s_b - cov| / (s_a s_b + eps), neighbours paired by rank
            (7-9).
        color_variance, color_omnivariance, color_entropy: similarity of the sum, the geometric mean and
            -sum v log v of the three variances (10-12).
        shift, shift_1, shift_2, shift_3: from the reference's point to the nearest distorted one: its length, and
            its size along each axis (13-16).
        reference_2, reference_3: the reference's point from the centroid, along axes 2 and 3 (17-18).
        distorted, distorted_2, distorted_3: the nearest distorted point from the centroid (19-21).
        centroid, centroid_2, centroid_3: the distorted neighbourhood's centroid from the reference's (22-24).
        variance_1, variance_2, variance_3: similarity of variances along the axes (25-27).
        decorrelation_1, decorrelation_2, decorrelation_3: as for colours, along the axes (28-30).
        omnivariance, entropy, anisotropy, planarity, linearity, surface_variation, sphericity: similarity of these
            functions of the three variances (31-37).
        plane_similarity: 1 - 2 angle / pi between the second principal axes (38).
        parallelity_1, parallelity_3: 1 - cosine between the first axes, and between the third (39-40). The cosine's
            sign follows a convention: an axis points to where its largest component is positive. Where two variances
            are equal, on level voxels for example, axes are arbitrary; 38 is then below 1 even for equal clouds.
    """

    mean_y: float
    mean_u: float
    mean_v: float
    variance_y: float
    variance_u: float
    variance_v: float
    decorrelation_y: float
    decorrelation_u: float
    decorrelation_v: float
    color_variance: float
    color_omnivariance: float
    color_entropy: float
    shift: float
    shift_1: float
    shift_2: float
    shift_3: float
    reference_2: float
    reference_3: float
    distorted: float
    distorted_2: float
    distorted_3: float
    centroid: float
    centroid_2: float
    centroid_3: float
    variance_1: float
    variance_2: float
    variance_3: float
    decorrelation_1: float
    decorrelation_2: float
    decorrelation_3: float
    omnivariance: float
    entropy: float
    anisotropy: float
    planarity: float
    linearity: float
    surface_variation: float
    sphericity: float
    plane_similarity: float
    parallelity_1: float
    parallelity_3: float

    @property
    def predictors(self) -> Float[np.ndarray, " 40"]:
        """All of them in order, as a regressor takes them."""
        return np.array(astuple(self))


def point_pca2(pair: CloudPair) -> PointPCA2:
    """The predictors of PointPCA2, also called PointPCA+ (ICIP 2023 challenge).

    One-sided: each distinct point of the reference with its 81 nearest points in both clouds. Numbers as
    cwi-dis/pointpca2, including the means over the points where a predictor is finite. Its covariance matrices divide
    by N for the reference and N - 1 for the distorted cloud; only their eigenvectors are used, so that the divisor
    reaches no predictor. Variances divide by N. Of equally near points the first in (x, y, z) order is taken, halves
    are rounded up, as MATLAB does both: its published numbers for a decoded 8i cloud are met to 1e-13, but for 38 and
    39 (1e-4), where voxels leave axes arbitrary. The Python port (akaTsunemori/pointpca2-python) rounds halves to even
    and has the tree's order of ties, which moves predictors of voxels by up to 0.03.

    The published score is a regressor on these predictors, trained on a database of opinions. None is shipped: train
    one on `predictors`.

    Args:
        pair: both clouds with colours, each with 81 different positions at least.

    Returns:
        The means; 0 for a predictor that is finite at no point (a flat distorted cloud can do that to 33-37).

    Raises:
        InputError: a cloud without colours, with fewer than 81 different positions, or with a coordinate beyond 1e100.
    """
    colors_a, colors_b = pair.require_colors("PointPCA2")
    require_moderate_coordinates(pair.reference, pair.distorted)
    a = _merged(pair.reference, pair.reference_points.points, colors_a)
    b = _merged(pair.distorted, pair.distorted_points.points, colors_b)
    searched_a, searched_b = PointSet(a.points), PointSet(b.points)
    values_a, values_b = (np.hstack((cloud.points, _yuv(cloud.rgb))) for cloud in (a, b))
    sums, counts = np.zeros(40), np.zeros(40)
    for first in range(0, len(a.points), CHUNK):
        queries = a.points[first : first + CHUNK]
        rows_a, rows_b = (nearest_lowest_row(cloud, queries, NEIGHBORS).rows for cloud in (searched_a, searched_b))
        predictors = _predictors(compare_neighborhoods(values_a, rows_a, values_b, rows_b))
        finite = np.isfinite(predictors)
        sums += np.where(finite, predictors, 0).sum(axis=0)
        counts += finite.sum(axis=0)
    means = sums / np.maximum(counts, 1)
    return PointPCA2(**{field.name: float(mean) for field, mean in zip(fields(PointPCA2), means, strict=True)})


def _merged(cloud: Cloud, points: np.ndarray, colors: np.ndarray) -> MergedPoints:
    merged = merge_points(points, colors)
    if len(merged.points) < NEIGHBORS:
        raise InputError(
            f"{cloud.name}: PointPCA2 compares {NEIGHBORS} neighbours, and the cloud has {len(merged.points)} "
            f"different positions; leave PointPCA2 out"
        )
    return merged


def _yuv(rgb: np.ndarray) -> np.ndarray:
    # Term by term, not as a matrix product: where red equals green, U lies at a half, and rounding errors decide.
    red, green, blue = (rgb[:, i, None] * RGB_TO_YUV[:, i] for i in range(3))
    return np.clip(rounded(red + green + blue + YUV_OFFSET), 0, 255)


def _predictors(local: Neighborhoods) -> Float[np.ndarray, "q 40"]:
    geometry_a, color_a = local.variance_a[:, :3], local.variance_a[:, 3:]
    geometry_b, color_b = local.variance_b[:, :3], local.variance_b[:, 3:]
    decorrelation = _decorrelation(local.variance_a, local.variance_b, local.covariance)
    shift = local.first_b - local.first_a
    cosines = local.axes_b[:, [0, 1, 2], [0, 1, 2]]
    columns = [
        _similarity(local.mean_a[:, 3:], local.mean_b[:, 3:]),
        _similarity(color_a, color_b),
        decorrelation[:, 3:],
        *(_similarity(shape(color_a), shape(color_b)) for shape in (_sum, _omnivariance, _entropy)),
        np.linalg.norm(shift, axis=1),
        abs(shift),
        abs(local.first_a[:, 1:]),
        np.linalg.norm(local.first_b, axis=1),
        abs(local.first_b[:, 1:]),
        np.linalg.norm(local.mean_b[:, :3], axis=1),
        abs(local.mean_b[:, 1:3]),
        _similarity(geometry_a, geometry_b),
        decorrelation[:, :3],
        *(_similarity(shape(geometry_a), shape(geometry_b)) for shape in SHAPES),
        # A unit vector's component may round to just above 1.
        1 - 2 * np.arccos(np.minimum(abs(cosines[:, 1]), 1)) / np.pi,
        1 - cosines[:, [0, 2]],
    ]
    return np.column_stack(columns)


def _similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return 1 - abs(a - b) / (abs(a) + abs(b) + EPS)


def _decorrelation(variance_a: np.ndarray, variance_b: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    deviations = np.sqrt(variance_a) * np.sqrt(variance_b)
    return abs(deviations - covariance) / (deviations + EPS)


def _sum(variances: np.ndarray) -> np.ndarray:
    return variances.sum(axis=1)


def _omnivariance(variances: np.ndarray) -> np.ndarray:
    return np.cbrt(variances).prod(axis=1)


def _entropy(variances: np.ndarray) -> np.ndarray:
    return -(variances * np.log(variances + EPS)).sum(axis=1)


def _anisotropy(variances: np.ndarray) -> np.ndarray:
    return _ratio(variances[:, 0] - variances[:, 2], variances[:, 0])


def _planarity(variances: np.ndarray) -> np.ndarray:
    return _ratio(variances[:, 1] - variances[:, 2], variances[:, 0])


def _linearity(variances: np.ndarray) -> np.ndarray:
    return _ratio(variances[:, 0] - variances[:, 1], variances[:, 0])


def _surface_variation(variances: np.ndarray) -> np.ndarray:
    return _ratio(variances[:, 2], variances.sum(axis=1))


def _sphericity(variances: np.ndarray) -> np.ndarray:
    return _ratio(variances[:, 2], variances[:, 0])


def _ratio(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    # 0 below, where the distorted neighbourhood is flat across the reference's first axis: not finite, left out.
    with np.errstate(divide="ignore", invalid="ignore"):
        return over / under


SHAPES = (_omnivariance, _entropy, _anisotropy, _planarity, _linearity, _surface_variation, _sphericity)
