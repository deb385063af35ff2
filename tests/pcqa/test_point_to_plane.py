import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.point_to_plane import d2
from pcqa.metrics.point_to_point import d1
from rankqa_datasets.errors import InputError


def lattice(seed: int, size: int = 6, count: int = 90) -> Cloud:
    """Distinct voxels with unit normals, many of them equally far from those of another such cloud."""
    rng = np.random.default_rng(seed)
    points = np.unique(rng.integers(0, size, (count, 3)), axis=0).astype(np.float32)
    normals = rng.normal(size=points.shape)
    return Cloud(points, normals=(normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32))


def exactly_nearest(point: np.ndarray, points: np.ndarray) -> np.ndarray:
    squares = np.square(points - point).sum(axis=1)
    return np.flatnonzero(squares == squares.min())


def naive(a: Cloud, b: Cloud) -> tuple[list[float], list[float]]:
    """The squared errors of both directions by the formula, in float64, every tie kept."""
    assert a.normals is not None
    points_a, points_b = a.points.astype(np.float64), b.points.astype(np.float64)
    given: list[list[np.ndarray]] = [[] for _ in points_b]
    for point, normal in zip(points_a, a.normals, strict=True):
        for row in exactly_nearest(point, points_b):
            given[row].append(normal)
    carried = [
        np.mean(normals or [a.normals[row] for row in exactly_nearest(point, points_a)], axis=0)
        for point, normals in zip(points_b, given, strict=True)
    ]

    def errors(queries, points, normals):
        return [
            float(np.mean([np.dot(query - points[row], normals[row]) ** 2 for row in exactly_nearest(query, points)]))
            for query in queries
        ]

    return errors(points_a, points_b, carried), errors(points_b, points_a, a.normals)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_equals_a_naive_loop_with_ties(shift):
    for seed in range(3):
        a, b = lattice(seed), lattice(seed + 50, count=40)
        a = Cloud(a.points + np.float32(shift), normals=a.normals)
        result = d2(CloudPair(a, b), peak=5.0)
        squares_ab, squares_ba = naive(a, b)
        assert result.mse_ab == pytest.approx(np.mean(squares_ab), rel=1e-6)
        assert result.mse_ba == pytest.approx(np.mean(squares_ba), rel=1e-6)
        assert result.hausdorff_ab == pytest.approx(max(squares_ab), rel=1e-5)
        assert result.hausdorff_ba == pytest.approx(max(squares_ba), rel=1e-5)
        assert result.mse == max(result.mse_ab, result.mse_ba)
        assert result.psnr == min(result.psnr_ab, result.psnr_ba)
        assert result.psnr == pytest.approx(10 * math.log10(75 / result.mse))
        assert not result.normals_estimated


def plane(height: float) -> np.ndarray:
    x, y = np.mgrid[:8, :8].reshape(2, -1)
    return np.stack((x, y, np.full(64, height)), axis=1).astype(np.float32)


def test_a_shift_along_the_plane_is_free_and_one_across_it_is_not():
    up = np.tile(np.array([0, 0, 1], np.float32), (64, 1))
    reference = Cloud(plane(0), normals=up)
    along = d2(CloudPair(reference, Cloud(plane(0) + np.array([0.25, 0.25, 0], np.float32))))
    assert along.mse == along.hausdorff == 0
    assert along.psnr == math.inf
    across = d2(CloudPair(reference, Cloud(plane(0.25))))
    assert (across.mse, across.hausdorff) == (0.0625, 0.0625)
    # Normals count with the length that they have.
    assert d2(CloudPair(Cloud(plane(0), normals=2 * up), Cloud(plane(0.25)))).mse == 0.25


def test_one_nearest_point_instead_of_all():
    # (0.5, 0, 0) lies between two points, whose normals differ; the first of the sorted cloud counts.
    a = Cloud(np.array([[0, 0, 0], [1, 0, 0]], np.float32), normals=np.array([[1, 0, 0], [0, 1, 0]], np.float32))
    b = Cloud(np.array([[0.5, 0, 0]], np.float32))
    assert d2(CloudPair(a, b), average_normals=False).mse_ba == 0.25
    assert d2(CloudPair(a, b)).mse_ba == 0.125
    # b's normal is the mean of both, (0.5, 0.5, 0), not brought to length 1.
    assert d2(CloudPair(a, b)).mse_ab == 0.0625


def test_equal_clouds_are_infinitely_good():
    cloud = lattice(0)
    result = d2(CloudPair(cloud, cloud))
    assert result.mse == result.hausdorff == 0
    assert result.psnr == result.hausdorff_psnr == math.inf


def test_points_may_be_reordered_voxels_moved_and_points_repeated():
    a, b = lattice(1, 12), lattice(2, 12)
    assert a.normals is not None
    result = d2(CloudPair(a, b))
    rng = np.random.default_rng(0)
    order = rng.permutation(a.num_points)
    shuffled = Cloud(a.points[order], normals=a.normals[order])
    assert d2(CloudPair(shuffled, Cloud(rng.permutation(b.points)))) == result
    shift = np.array([5, -700, 31], np.float32)
    assert d2(CloudPair(Cloud(a.points + shift, normals=a.normals), Cloud(b.points + shift))) == result
    # A repeated point counts once, with the normal that comes first in the file.
    twice = Cloud(np.tile(a.points, (2, 1)), normals=np.concatenate((a.normals, -a.normals[order])))
    assert d2(CloudPair(twice, Cloud(np.repeat(b.points, 3, axis=0)))) == result


def test_is_never_above_d1_for_unit_normals():
    pair = CloudPair(lattice(3), lattice(4))
    assert d2(pair).mse_ba <= d1(pair).mse_ba
    assert d2(pair).hausdorff_ba <= d1(pair).hausdorff_ba


def sphere(count: int, radius: float) -> tuple[np.ndarray, np.ndarray]:
    turns = np.arange(count) * math.pi * (3 - math.sqrt(5))
    z = 1 - 2 * (np.arange(count) + 0.5) / count
    directions = np.stack((np.cos(turns), np.sin(turns), z), axis=1) * np.sqrt(
        np.stack((1 - z**2, 1 - z**2, np.ones(count)), axis=1)
    )
    return (radius * directions).astype(np.float32), directions.astype(np.float32)


def test_estimated_normals_of_a_sphere_are_near_the_true_ones_and_said_to_be_estimated():
    points, normals = sphere(2000, 10)
    distorted = Cloud(sphere(1500, 10.2)[0])
    true = d2(CloudPair(Cloud(points, normals=normals), distorted), estimate_normals=True)
    estimated = d2(CloudPair(Cloud(points), distorted), estimate_normals=True)
    assert estimated.mse == pytest.approx(true.mse, rel=0.02)
    assert estimated.normals_estimated
    assert not true.normals_estimated


def test_refuses_what_it_cannot_measure():
    points = lattice(0).points
    bare = Cloud(points, source=Path("bare.ply"))
    with pytest.raises(InputError, match=r"bare\.ply: D2 needs the reference's normals.*estimate_normals=True"):
        d2(CloudPair(bare, lattice(1)))
    with pytest.raises(InputError, match="normals need 3 different points or more, got 2"):
        d2(CloudPair(Cloud(np.array([[0.0, 0, 0], [1, 0, 0]])), bare), estimate_normals=True)
    single = Cloud(np.zeros((1, 3), np.float32), normals=np.ones((1, 3), np.float32))
    with pytest.raises(InputError, match="give peak="):
        d2(CloudPair(single, bare))
    assert d2(CloudPair(single, single), peak=1.0).mse == 0
    with pytest.raises(InputError, match=r"far\.ply: D2 needs squared distances within float32"):
        d2(CloudPair(single, Cloud(np.array([[1e30, 0, 0]]), source=Path("far.ply"))), peak=1.0)
    line = Cloud(np.arange(5, dtype=np.float32)[:, None] * np.ones(3, np.float32))
    assert np.isfinite(asdict(d2(CloudPair(line, single), estimate_normals=True))["mse"])
