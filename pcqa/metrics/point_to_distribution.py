"""Point to distribution (P2D): how far each point lies outside the points of the other cloud around it."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8

from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.color_error import Channels, rgb_to_ycbcr
from pcqa.metrics.merged_cloud import MergedCloud
from pcqa.metrics.nearest_ties import NearestTies
from pcqa.metrics.tied_neighbors import nearest_lowest_row
from rankqa_datasets.errors import InputError

# Below this determinant, in the sixth power of the cloud's unit, a covariance counts as singular.
LEAST_DETERMINANT = 1e-6
# Neighbourhoods at once: those of a million points take 750 MB for each copy.
CHUNK = 50_000


@dataclass(frozen=True)
class PointToDistribution:
    """`_ab` goes from each point of the reference to the distorted cloud, `_ba` the other way.

    Lower is better for the distances, which have no unit; higher is better for their logarithmic form
    `_log` = 10 log10(1 + 1 / distance). The values without a direction are the worse of the two. A cloud against itself
    does not give 0.

    Attributes:
        geometry_ab, ...: mean Mahalanobis distance of the points.
        color_ab, ...: mean distance of Y, Cb and Cr in standard deviations; None without colours.
        joint_ab, ...: mean of geometry and Y; None without colours.
        skipped_ab, skipped_ba: share of points, 0..1, around which the other cloud is flat, so that they count by their
            nearest distance.
    """

    geometry_ab: float
    geometry_ba: float
    geometry: float
    geometry_log_ab: float
    geometry_log_ba: float
    geometry_log: float
    color_ab: Channels | None
    color_ba: Channels | None
    color: Channels | None
    color_log_ab: Channels | None
    color_log_ba: Channels | None
    color_log: Channels | None
    joint_ab: float | None
    joint_ba: float | None
    joint: float | None
    joint_log_ab: float | None
    joint_log_ba: float | None
    joint_log: float | None
    skipped_ab: float
    skipped_ba: float


def point_to_distribution(pair: CloudPair, *, neighbors: int = 31) -> PointToDistribution:
    """Mahalanobis distance of each point to the mean and covariance of its nearest points in the other cloud.

    As in AlirezaJav/Point_to_distribution_metric (a changed pc_error; Javaheri et al., "Mahalanobis Based Point to
    Distribution Metric for Point Cloud Geometry Quality Evaluation", 2020): distinct float32 points, population
    covariance. Where it is singular, in units of one voxel, the nearest distance d counts instead, brought into the
    range of the others, M: (d - d_min) / (d_max - d_min) (M_max - M_min) + M_min; M_min where all d are equal. Of
    points equally near, the program takes those which its tree meets first; here the first of the sorted cloud, so that
    voxels differ from it by the spread that its own numbers show when the axes are exchanged.

    Args:
        pair: the clouds, in a unit in which neighbouring points are about 1 apart.
        neighbors: how many nearest points make the distribution (the program's `--distSize`), 4 or more.

    Raises:
        InputError: fewer than 4 neighbours, a cloud with fewer distinct points than neighbours, coordinates beyond
            float32, or a cloud around which the other is flat everywhere (the program prints inf).
    """
    a, b = pair.merged_reference, pair.merged_distorted
    if neighbors < 4:
        raise InputError(f"P2D needs 4 neighbors or more, which span a volume, got {neighbors}")
    for cloud in (a, b):
        if len(cloud) < neighbors:
            raise InputError(f"{cloud.name}: P2D takes {neighbors} neighbors, and the cloud has {len(cloud)} points")
    geometry_ab, color_ab, skipped_ab = _direction(a, b, pair.ties_ab, neighbors)
    geometry_ba, color_ba, skipped_ba = _direction(b, a, pair.ties_ba, neighbors)
    geometry = max(geometry_ab, geometry_ba)
    color = joint_ab = joint_ba = joint = None
    if color_ab is not None and color_ba is not None:
        color = max(color_ab[0], color_ba[0]), max(color_ab[1], color_ba[1]), max(color_ab[2], color_ba[2])
        joint_ab, joint_ba = (geometry_ab + color_ab[0]) / 2, (geometry_ba + color_ba[0]) / 2
        joint = max(joint_ab, joint_ba)
    return PointToDistribution(
        geometry_ab=geometry_ab,
        geometry_ba=geometry_ba,
        geometry=geometry,
        geometry_log_ab=_log(geometry_ab),
        geometry_log_ba=_log(geometry_ba),
        geometry_log=_log(geometry),
        color_ab=color_ab,
        color_ba=color_ba,
        color=color,
        color_log_ab=_logs(color_ab),
        color_log_ba=_logs(color_ba),
        color_log=_logs(color),
        joint_ab=joint_ab,
        joint_ba=joint_ba,
        joint=joint,
        joint_log_ab=None if joint_ab is None else _log(joint_ab),
        joint_log_ba=None if joint_ba is None else _log(joint_ba),
        joint_log=None if joint is None else _log(joint),
        skipped_ab=skipped_ab,
        skipped_ba=skipped_ba,
    )


def _direction(
    queries: MergedCloud, searched: MergedCloud, ties: NearestTies, neighbors: int
) -> tuple[float, Channels | None, float]:
    """The mean distance of geometry, of each channel of colour, and the share of skipped points."""
    has_colors = queries.colors is not None and searched.colors is not None
    ours = _ycbcr(queries.colors) if has_colors else None
    theirs = _ycbcr(searched.colors) if has_colors else None
    distances = np.empty(len(queries))
    colors = np.empty((len(queries), 3))
    for start in range(0, len(queries), CHUNK):
        chunk = slice(start, start + CHUNK)
        points = queries.point_set.points[chunk]
        rows = nearest_lowest_row(searched.point_set, points, neighbors).rows
        distances[chunk] = _mahalanobis(points, searched.point_set.points[rows])
        if ours is not None and theirs is not None:
            colors[chunk] = _deviations(ours[chunk], theirs[rows])
    skipped = np.isnan(distances)
    if skipped.all():
        raise InputError(
            f"{searched.name}: P2D finds this cloud flat (or its unit too large) around every point of the other; "
            "it needs points about 1 apart that are not all in one plane"
        )
    _fill_skipped(distances, skipped, np.sqrt(ties.squares))
    means = colors.mean(axis=0)
    color = (float(means[0]), float(means[1]), float(means[2])) if has_colors else None
    return float(distances.mean()), color, float(skipped.mean())


def _ycbcr(colors: UInt8[np.ndarray, "m 3"] | None) -> Float32[np.ndarray, "m 3"]:
    assert colors is not None
    return np.stack(rgb_to_ycbcr(colors), axis=1)


def _mahalanobis(
    points: Float64[np.ndarray, "q 3"], neighborhoods: Float64[np.ndarray, "q k 3"]
) -> Float64[np.ndarray, " q"]:
    """Distance of each point to its neighbourhood, NaN where the covariance is singular."""
    means = neighborhoods.mean(axis=1)
    centered = neighborhoods - means[:, None]
    covariances = centered.transpose(0, 2, 1) @ centered / neighborhoods.shape[1]
    (xx, xy, xz), (_, yy, yz), (_, _, zz) = covariances.transpose(1, 2, 0)
    # The inverse is the matrix of cofactors over the determinant.
    c_xx, c_xy, c_xz = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    c_yy, c_yz, c_zz = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    determinants = xx * c_xx + xy * c_xy + xz * c_xz
    x, y, z = (points - means).T
    squares = x * x * c_xx + y * y * c_yy + z * z * c_zz + 2 * (x * y * c_xy + x * z * c_xz + y * z * c_yz)
    # A matrix has a Cholesky factor where its leading minors are positive.
    is_regular = (determinants >= LEAST_DETERMINANT) & (xx > 0) & (c_zz > 0) & (squares >= 0)
    return np.sqrt(np.divide(squares, determinants, out=np.full(len(points), np.nan), where=is_regular))


def _deviations(
    values: Float32[np.ndarray, "q 3"], neighborhoods: Float32[np.ndarray, "q k 3"]
) -> Float32[np.ndarray, "q 3"]:
    """|value - mean| / sigma of each channel; for sigma 0 it is 0 where the value is equal, else 1."""
    means = neighborhoods.mean(axis=1, dtype=np.float64).astype(np.float32)
    # Differences are float32, as in the program: of equal values not even a rounding remains.
    variances = np.square((neighborhoods - means[:, None]).astype(np.float64)).mean(axis=1).astype(np.float32)
    differences = values - means
    deviations = (differences != 0).astype(np.float32)
    np.divide(np.square(differences), variances, out=deviations, where=variances > 0)
    return np.sqrt(deviations)


def _fill_skipped(
    distances: Float64[np.ndarray, " q"], skipped: Bool[np.ndarray, " q"], nearest: Float64[np.ndarray, " q"]
) -> None:
    low, high = distances[~skipped].min(), distances[~skipped].max()
    span = nearest.max() - nearest.min()
    share = (nearest[skipped] - nearest.min()) / span if span > 0 else 0.0
    distances[skipped] = share * (high - low) + low


def _log(distance: float) -> float:
    return 10 * math.log10(1 + 1 / distance) if distance > 0 else math.inf


def _logs(distances: Channels | None) -> Channels | None:
    return None if distances is None else (_log(distances[0]), _log(distances[1]), _log(distances[2]))
