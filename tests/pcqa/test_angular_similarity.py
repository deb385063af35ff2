import math
from pathlib import Path

import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.metrics.angular_similarity import angular_similarity
from pcqa.metrics.cloud_pair import CloudPair
from rankqa_datasets.errors import InputError


def cloud(seed: int, count: int = 80) -> Cloud:
    rng = np.random.default_rng(seed)
    normals = rng.normal(size=(count, 3)) * rng.uniform(0.1, 9, (count, 1))
    return Cloud(rng.random((count, 3)), normals=normals.astype(np.float32))


def naive(a: Cloud, b: Cloud) -> list[float]:
    assert a.normals is not None
    assert b.normals is not None
    values = []
    for point, normal in zip(a.points.tolist(), a.normals.tolist(), strict=True):
        other = b.normals[min(range(b.num_points), key=lambda row: math.dist(point, b.points[row]))].tolist()
        cosine = abs(sum(map(float.__mul__, normal, other))) / (math.hypot(*normal) * math.hypot(*other))
        values.append(1 - 2 * math.acos(cosine) / math.pi)
    return values


def test_equals_a_naive_loop():
    a, b = cloud(0), cloud(1, 60)
    result = angular_similarity(CloudPair(a, b))
    ab, ba = naive(a, b), naive(b, a)
    assert (result.mean_ab, result.mean_ba) == pytest.approx((np.mean(ab), np.mean(ba)), rel=1e-9)
    assert (result.least_ab, result.least_ba) == pytest.approx((min(ab), min(ba)), rel=1e-6)
    assert (result.rms_ab, result.rms_ba) == pytest.approx(
        (np.sqrt(np.mean(np.square(ab))), np.sqrt(np.mean(np.square(ba)))), rel=1e-9
    )
    assert result.mean == min(result.mean_ab, result.mean_ba)
    assert result.rms == min(result.rms_ab, result.rms_ba)
    assert result.least == min(result.least_ab, result.least_ba)
    assert not result.normals_estimated


def test_equal_clouds_are_one_whatever_the_sign_and_length_of_normals():
    a = cloud(2)
    assert a.normals is not None
    for normals in (a.normals, -a.normals, 8 * a.normals):
        result = angular_similarity(CloudPair(a, Cloud(a.points, normals=normals)))
        assert (result.mean, result.rms, result.least) == (1, 1, 1)


def test_angles_by_hand():
    point = np.zeros((1, 3), np.float32)
    turned = {0: 1.0, 30: 2 / 3, 45: 0.5, 90: 0.0, 135: 0.5, 180: 1.0}
    for degrees, similarity in turned.items():
        angle = math.radians(degrees)
        normals = [np.array([n], np.float32) for n in ([1, 0, 0], [math.cos(angle), math.sin(angle), 0])]
        result = angular_similarity(CloudPair(*(Cloud(point, normals=n) for n in normals)))
        assert result.mean == pytest.approx(similarity, abs=1e-7)


def test_points_may_be_reordered_moved_repeated_and_the_clouds_exchanged():
    rng = np.random.default_rng(0)
    # Voxels: many are equally near.
    voxels = (np.unique(rng.integers(0, 6, (90, 3)), axis=0).astype(np.float32) for _ in range(2))
    a, b = (Cloud(points, normals=rng.normal(size=points.shape).astype(np.float32)) for points in voxels)
    assert a.normals is not None
    result = angular_similarity(CloudPair(a, b))
    order = rng.permutation(a.num_points)
    assert angular_similarity(CloudPair(Cloud(a.points[order], normals=a.normals[order]), b)) == result
    moved = [Cloud(c.points + np.array([3, 100, -8], np.float32), normals=c.normals) for c in (a, b)]
    assert angular_similarity(CloudPair(*moved)) == result
    twice = Cloud(np.tile(a.points, (2, 1)), normals=np.concatenate((a.normals, a.normals[order])))
    assert angular_similarity(CloudPair(twice, b)) == result
    swapped = angular_similarity(CloudPair(b, a))
    assert (swapped.mean_ab, swapped.least_ba, swapped.mean) == (result.mean_ba, result.least_ab, result.mean)


def test_estimates_both_clouds_when_asked():
    x, y = np.mgrid[:20, :20].reshape(2, -1) / 4
    flat, slope = (Cloud(np.stack((x, y, height * x), axis=1)) for height in (0.0, 1.0))
    result = angular_similarity(CloudPair(flat, slope), estimate_normals=True)
    assert result.mean == pytest.approx(0.5)
    assert result.normals_estimated
    wrong = Cloud(flat.points, normals=np.tile(np.array([1, 0, 0], np.float32), (400, 1)))
    assert angular_similarity(CloudPair(wrong, flat), estimate_normals=True).mean == pytest.approx(1)


def test_refuses_what_it_cannot_measure():
    bare = Cloud(np.eye(3), source=Path("bare.ply"))
    with pytest.raises(InputError, match=r"bare\.ply: angular similarity needs normals.*estimate_normals=True"):
        angular_similarity(CloudPair(cloud(0), bare))
    two = Cloud(np.array([[0.0, 0, 0], [1, 0, 0]]), source=Path("two.ply"))
    with pytest.raises(InputError, match=r"two\.ply: normals need 3 different points or more, got 2"):
        angular_similarity(CloudPair(two, bare), estimate_normals=True)
    zero = Cloud(np.eye(3), normals=np.zeros((3, 3), np.float32), source=Path("zero.ply"))
    with pytest.raises(InputError, match=r"zero\.ply: .* 3 are \(0, 0, 0\)"):
        angular_similarity(CloudPair(zero, cloud(0)))
