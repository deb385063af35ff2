"""D2: point-to-plane distances, with the numbers of MPEG's pc_error 0.14.2."""

from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float32, Float64

from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.geometry_error import GeometryError, geometry_peak
from pcqa.metrics.merged_cloud import MergedCloud
from pcqa.metrics.nearest_ties import NearestTies
from pcqa.metrics.surface_normals import surface_normals
from rankqa_datasets.errors import InputError


@dataclass(frozen=True)
class PointToPlane(GeometryError):
    """The values of D2, named as those of D1; `normals_estimated`: the reference had none."""

    normals_estimated: bool


def d2(
    pair: CloudPair, *, peak: float | None = None, average_normals: bool = True, estimate_normals: bool = False
) -> PointToPlane:
    """Point-to-plane error between two clouds: ((x - y) . n_y)^2 for the nearest point y of each point x.

    As in MPEGGroup/mpeg-pcc-dmetric 0.14.2. The mean is taken over all y that are equally near. Only the reference's
    normals count, of the length that they have: each of its points gives its normal to its nearest points in the
    distorted cloud, which keep the mean, not brought to length 1; a point that got none takes the mean of its own
    nearest points of the reference. Differences, normals and squares are float32, as there.

    Args:
        pair: the clouds, in one unit. The distorted cloud's own normals are not used.
        peak: as for D1.
        average_normals: False is the program's `--averageNormals=0`: one nearest point counts instead of all (of
            equally near ones here the first of the sorted cloud, there any), in float64.
        estimate_normals: where the reference has no normals, take the direction of least spread among the 16 nearest
            points, away from the cloud's mean. The program has no such thing: compare only with values made so.

    Raises:
        InputError: the reference has no normals and none may be estimated, or fewer than 3 points to estimate them
            from; errors beyond float32; or as for D1.
    """
    reference, distorted = pair.merged_reference, pair.merged_distorted
    peak = geometry_peak(reference, peak)
    normals = _reference_normals(reference, estimate_normals)
    carried = _carried_normals(normals, pair.ties_ab, pair.ties_ba, average_normals)
    plane_squares = _mean_plane_squares if average_normals else _first_plane_squares
    # Overflow is told below, in words.
    with np.errstate(over="ignore", invalid="ignore"):
        squares_ab = plane_squares(reference.points, distorted.points, carried, pair.ties_ab)
        squares_ba = plane_squares(distorted.points, reference.points, normals, pair.ties_ba)
    if not (np.isfinite(squares_ab).all() and np.isfinite(squares_ba).all()):
        raise InputError(
            f"{distorted.name}: D2 needs squared distances within float32 (3.4e38); "
            "scale the coordinates of both clouds and the normals down"
        )
    error = GeometryError.of(squares_ab, squares_ba, peak)
    return PointToPlane(**asdict(error), normals_estimated=reference.normals is None)


def _reference_normals(reference: MergedCloud, may_estimate: bool) -> Float32[np.ndarray, "a 3"]:
    if reference.normals is not None:
        return reference.normals
    if not may_estimate:
        raise InputError(
            f"{reference.name}: D2 needs the reference's normals, and it has none; "
            "give a reference with normals, or estimate_normals=True to estimate them from the points"
        )
    return surface_normals(reference)


def _carried_normals(
    normals: Float32[np.ndarray, "a 3"], ties_ab: NearestTies, ties_ba: NearestTies, average: bool
) -> Float32[np.ndarray, "b 3"]:
    """The reference's normals on the points of the distorted cloud."""
    givers, takers = _exactly_nearest(ties_ab, average)
    lonely = np.bincount(takers, minlength=len(ties_ba.starts)) == 0
    lonely_takers, their_givers = _exactly_nearest(ties_ba, average)
    is_lonely = lonely[lonely_takers]
    takers = np.concatenate((takers, lonely_takers[is_lonely]))
    givers = np.concatenate((givers, their_givers[is_lonely]))
    # float32 sums, in the order of the sorted reference, as the program's.
    sums = np.zeros((3, len(lonely)), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for axis in range(3):
            np.add.at(sums[axis], takers, normals[givers, axis])
    return (sums / np.bincount(takers).astype(np.float32)).T


def _exactly_nearest(ties: NearestTies, average: bool) -> tuple[np.ndarray, np.ndarray]:
    """Queries and their nearest rows: all at exactly the least distance, or one for each query."""
    if average:
        return ties.queries[ties.is_nearest], ties.rows[ties.is_nearest]
    return np.arange(len(ties.starts)), ties.first_rows


def _mean_plane_squares(
    points: Float32[np.ndarray, "q 3"],
    searched: Float32[np.ndarray, "p 3"],
    normals: Float32[np.ndarray, "p 3"],
    ties: NearestTies,
) -> Float64[np.ndarray, " q"]:
    x, y, z = ((points[ties.queries] - searched[ties.rows]) * normals[ties.rows]).T
    return np.add.reduceat(np.square(x + y + z), ties.starts, dtype=np.float64) / ties.sizes


def _first_plane_squares(
    points: Float32[np.ndarray, "q 3"],
    searched: Float32[np.ndarray, "p 3"],
    normals: Float32[np.ndarray, "p 3"],
    ties: NearestTies,
) -> Float64[np.ndarray, " q"]:
    differences = (points - searched[ties.first_rows]).astype(np.float64)
    return np.square((differences * normals[ties.first_rows]).sum(axis=1))
