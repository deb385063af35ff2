"""TCDM: how well the distorted cloud predicts the reference, neighbourhood by neighbourhood."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from pcqa.cloud import Cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.ordered_points import ordered_points
from pcqa.metrics.point_set import PointSet
from pcqa.metrics.tcdm_seeds import tcdm_seeds
from pcqa.metrics.tied_neighbors import nearest_lowest_row
from rankqa_datasets.errors import InputError

NEIGHBORS = 20
COMPLEXITY_WEIGHT = 0.3
# Keeps similarities of nothing at 1.
T = 1e-6
# Least variance of the distances, in squared units of the cloud.
LEAST_SPREAD = 1e-3
# What a difference of red, green and blue counts.
COLOR_WEIGHTS = np.array([1.0, 2, 1])
# Determinants of residuals have the sixth power of a length, and are squared.
MOST_COORDINATE = 1e14
CHUNK = 1 << 16


@dataclass(frozen=True)
class Tcdm:
    """TCDM values; higher is better, 1 for a cloud and itself where no patch is skipped.

    Attributes:
        similarity: 0.3 complexity + 0.7 prediction.
        complexity: F1, similarity of what is left unpredicted: its mean for coordinates times its mean for colours.
        prediction: F2, mean similarity of the local energies of what is predicted.
        skipped: share of the patches with too few points; they count 0.
    """

    similarity: float
    complexity: float
    prediction: float
    skipped: float


def tcdm(pair: CloudPair, *, seeds: Float[np.ndarray, "seeds 3"] | None = None, seed: int = 0) -> Tcdm:
    """Transformational complexity based distortion metric.

    By the program of its paper ("TCDM: Transformational Complexity Based Distortion Metric for Perceptual Point Cloud
    Quality Assessment"), zyj1318053/TCDM, which was read, not run, as it is MATLAB's. Both clouds are cut into patches
    around seeds in the reference. In each, every point of the reference, its position relative to the seed and its
    8-bit colour, is predicted linearly from 20 weighted neighbours, once from the distorted patch and once from its
    own; the nearest neighbour is left out. A patch with fewer than 21 points in either cloud counts 0. The program
    works in single precision; here only the threshold of its pseudo-inverse is single. One-sided: points of the
    reference are predicted. Repeated points stay.

    Args:
        pair: both clouds with colours.
        seeds: (L, 3) centres of the patches, for example those that the program's authors publish. Default:
            `tcdm_seeds(pair.reference, seed=seed)`, 400 points.
        seed: of the random part of the default seeds; a fixed one gives a fixed result.

    Raises:
        InputError: a cloud without colours or with a coordinate beyond 1e14; seeds that are none or not finite, or
            fewer positions in the reference than seeds; or no patch of the reference has 21 points.
    """
    colors_a, colors_b = pair.require_colors("TCDM")
    a = _ordered(pair.reference, pair.reference_points.points, colors_a)
    b = _ordered(pair.distorted, pair.distorted_points.points, colors_b)
    if seeds is None:
        seeds = tcdm_seeds(pair.reference, seed=seed)
    if len(seeds) == 0 or not np.isfinite(seeds).all():
        raise InputError(f"expected seeds of TCDM as (L, 3) finite positions, got {seeds}")
    coordinates, colors, predictions = [], [], []
    largest = 0
    for patch_a, patch_b in zip(_patches(a, seeds), _patches(b, seeds), strict=True):
        largest = max(largest, len(patch_a))
        if min(len(patch_a), len(patch_b)) <= NEIGHBORS:
            continue
        predicted_b, predicted_a = _predict(patch_a, patch_b), _predict(patch_a, patch_a)
        coordinates.append(_complexity_similarity((patch_a - predicted_a)[:, :3], (patch_a - predicted_b)[:, :3]))
        colors.append(_complexity_similarity((patch_a - predicted_a)[:, 3:], (patch_a - predicted_b)[:, 3:]))
        predictions.append(_energy_similarity(predicted_a, predicted_b))
    if largest <= NEIGHBORS:
        raise InputError(
            f"{pair.reference.name}: TCDM needs {NEIGHBORS + 1} points around a seed, and the most around any of "
            f"{len(seeds)} seeds is {largest}; give fewer seeds="
        )
    complexity = sum(coordinates) / len(seeds) * (sum(colors) / len(seeds))
    prediction = sum(predictions) / len(seeds)
    return Tcdm(
        similarity=float(COMPLEXITY_WEIGHT * complexity + (1 - COMPLEXITY_WEIGHT) * prediction),
        complexity=float(complexity),
        prediction=float(prediction),
        skipped=(len(seeds) - len(predictions)) / len(seeds),
    )


def _ordered(cloud: Cloud, points: np.ndarray, colors: np.ndarray) -> Float[np.ndarray, "p 6"]:
    if abs(points).max() > MOST_COORDINATE:
        raise InputError(f"{cloud.name}: TCDM takes coordinates up to {MOST_COORDINATE:g}, got {abs(points).max():g}")
    return ordered_points(points, colors)


def _patches(rows: np.ndarray, seeds: np.ndarray) -> Iterator[np.ndarray]:
    """For each seed the rows that are nearest to it, positions relative to it."""
    searched = PointSet(seeds)
    chunks = (rows[first : first + CHUNK, :3] for first in range(0, len(rows), CHUNK))
    seed_of_row = np.concatenate([nearest_lowest_row(searched, chunk, 1).rows[:, 0] for chunk in chunks])
    order = np.argsort(seed_of_row, kind="stable")
    ends = np.cumsum(np.bincount(seed_of_row, minlength=len(seeds)))
    for members, center in zip(np.split(order, ends[:-1]), seeds, strict=True):
        patch = rows[members]
        patch[:, :3] -= center
        yield patch


def _predict(targets: Float[np.ndarray, "n 6"], sources: Float[np.ndarray, "m 6"]) -> Float[np.ndarray, "n 6"]:
    """Each target as a linear function, one for all, of its weighted neighbours among the sources."""
    nearest = nearest_lowest_row(PointSet(sources[:, :3]), targets[:, :3], NEIGHBORS + 1)
    spread = np.square(nearest.distances).mean(axis=1, keepdims=True) + LEAST_SPREAD
    # As published: a weight of at least one half, growing with the distance.
    weights = 1 / (1 + np.exp(-nearest.distances[:, 1:] / spread))
    weights /= weights.sum(axis=1, keepdims=True)
    neighbors = sources[nearest.rows[:, 1:]] * weights[:, :, None]
    fits = (_fit(neighbors[:, :, part].reshape(len(targets), -1), targets[:, part]) for part in (slice(3), slice(3, 6)))
    return np.hstack(list(fits))


def _fit(design: Float[np.ndarray, "n m"], targets: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Least-squares fit of the targets by the design: design pinv(design' design) design' targets."""
    values, vectors = np.linalg.eigh(design.T @ design)
    # MATLAB's rule for matrices in single precision. Neighbours are much alike: with a threshold of double precision,
    # directions would be fitted that the program leaves out.
    kept = values > len(values) * np.spacing(np.float32(values[-1]))
    directions = design @ vectors[:, kept]
    return directions @ ((directions.T @ targets) / values[kept, None])


def _complexity_similarity(residuals_a: Float[np.ndarray, "n 3"], residuals_b: Float[np.ndarray, "n 3"]) -> float:
    a, b = (float(np.linalg.det(residuals.T @ residuals / len(residuals))) for residuals in (residuals_a, residuals_b))
    return (2 * a * b + T) / (a**2 + b**2 + T)


def _energy_similarity(predicted_a: Float[np.ndarray, "n 6"], predicted_b: Float[np.ndarray, "n 6"]) -> float:
    """Correlation of the energies between predicted points and their neighbours, the same ones in both predictions."""
    rows = nearest_lowest_row(PointSet(predicted_a[:, :3]), predicted_a[:, :3], NEIGHBORS + 1).rows[:, 1:]
    energies_a, energies_b = (_energies(predicted, rows) for predicted in (predicted_a, predicted_b))
    (variance_a, covariance), (_, variance_b) = np.cov(energies_a, energies_b)
    return (covariance + T) / (np.sqrt(variance_a * variance_b) + T)


def _energies(predicted: np.ndarray, rows: np.ndarray) -> Float[np.ndarray, " energies"]:
    differences = predicted[rows] - predicted[:, None]
    masses = abs(differences[:, :, 3:]) @ COLOR_WEIGHTS + 1
    return (masses * np.linalg.norm(differences[:, :, :3], axis=2)).ravel()
