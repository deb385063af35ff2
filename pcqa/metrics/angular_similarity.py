"""Angular similarity: how alike the tangent planes of nearest points are."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.merged_cloud import MergedCloud
from pcqa.metrics.nearest_ties import NearestTies
from pcqa.metrics.surface_normals import surface_normals
from rankqa_datasets.errors import InputError


@dataclass(frozen=True)
class AngularSimilarity:
    """Similarities of 0 (planes at right angles) to 1 (parallel); higher is better.

    `_ab` goes from each point of the reference to the distorted cloud, `_ba` the other way; the values without a
    direction are the smaller of the two.

    Attributes:
        mean_ab, mean_ba, mean: mean similarity of the points.
        rms_ab, rms_ba, rms: root of the mean squared similarity.
        least_ab, least_ba, least: smallest similarity.
        normals_estimated: the normals were estimated, because a cloud had none.
    """

    mean_ab: float
    mean_ba: float
    mean: float
    rms_ab: float
    rms_ba: float
    rms: float
    least_ab: float
    least_ba: float
    least: float
    normals_estimated: bool


def angular_similarity(pair: CloudPair, *, estimate_normals: bool = False) -> AngularSimilarity:
    """Plane-to-plane similarity 1 - 2 acos(|n_a . n_b|) / pi of each point and the nearest of the other cloud.

    Alexiou and Ebrahimi, "Point Cloud Quality Assessment Metric Based on Angular Similarity", ICME 2018. Normals count
    by their direction, whatever their sign and length. Reconstruction: equal points of a cloud count once, with the
    normal of the first in the file, and of several points equally near the first of the sorted cloud counts.

    Args:
        pair: the clouds, in one unit.
        estimate_normals: where a cloud has no normals, take the direction of least spread among the 16 nearest points,
            in both clouds, so that they compare.

    Raises:
        InputError: a cloud has no normals and none may be estimated, or fewer than 3 points to estimate them from; a
            normal of length 0; or coordinates beyond float32.
    """
    clouds = pair.merged_reference, pair.merged_distorted
    bare = [cloud for cloud in clouds if cloud.normals is None]
    if bare and not estimate_normals:
        raise InputError(
            f"{bare[0].name}: angular similarity needs normals in both clouds, and this one has none; "
            "give clouds with normals, or estimate_normals=True to estimate them from the points"
        )
    normals_a, normals_b = (surface_normals(cloud) if bare else _directed(cloud) for cloud in clouds)
    similarities_ab = _similarities(normals_a, normals_b, pair.ties_ab)
    similarities_ba = _similarities(normals_b, normals_a, pair.ties_ba)
    mean_ab, mean_ba = float(similarities_ab.mean()), float(similarities_ba.mean())
    rms_ab, rms_ba = (float(np.sqrt(np.square(values).mean())) for values in (similarities_ab, similarities_ba))
    least_ab, least_ba = float(similarities_ab.min()), float(similarities_ba.min())
    return AngularSimilarity(
        mean_ab=mean_ab,
        mean_ba=mean_ba,
        mean=min(mean_ab, mean_ba),
        rms_ab=rms_ab,
        rms_ba=rms_ba,
        rms=min(rms_ab, rms_ba),
        least_ab=least_ab,
        least_ba=least_ba,
        least=min(least_ab, least_ba),
        normals_estimated=bool(bare),
    )


def _directed(cloud: MergedCloud) -> Float32[np.ndarray, "m 3"]:
    assert cloud.normals is not None
    missing = int((cloud.normals == 0).all(axis=1).sum())
    if missing:
        raise InputError(
            f"{cloud.name}: angular similarity needs normals that have a direction, and {missing} are (0, 0, 0); "
            "remove those points, or the normals"
        )
    return cloud.normals


def _similarities(
    normals: Float32[np.ndarray, "q 3"], searched: Float32[np.ndarray, "p 3"], ties: NearestTies
) -> Float64[np.ndarray, " q"]:
    first, second = normals.astype(np.float64), searched[ties.first_rows].astype(np.float64)
    # The angle by its tangent: the arc cosine near 1 loses half of the digits.
    sines, cosines = np.linalg.norm(np.cross(first, second), axis=1), np.einsum("qi,qi->q", first, second)
    return 1 - 2 * np.arctan2(sines, abs(cosines)) / np.pi
