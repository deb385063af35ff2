import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.point_to_point import d1
from rankqa_datasets.errors import InputError


def d1_of(reference: Cloud, distorted: Cloud, *, peak: float | None = None):
    return d1(CloudPair(reference, distorted), peak=peak)


def naive(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    a, b = ([*{tuple(map(float, point)) for point in points}] for points in (a, b))
    squares = [min(sum((s - t) ** 2 for s, t in zip(p, q, strict=True)) for q in b) for p in a]
    return sum(squares) / len(squares), max(squares)


# Voxels are searched in columns, a cloud off the grid in a tree.
@pytest.mark.parametrize("shift", [0.0, 0.25])
def test_equals_a_naive_loop_with_repeated_points(shift):
    generator = np.random.default_rng(0)
    a = generator.integers(0, 8, (120, 3)).astype(np.float64)
    b = generator.integers(-3, 8, (90, 3)).astype(np.float64) + shift
    result = d1_of(Cloud(a), Cloud(b), peak=7.0)
    (mse_ab, max_ab), (mse_ba, max_ba) = naive(a, b), naive(b, a)
    assert (result.mse_ab, result.mse_ba) == pytest.approx((mse_ab, mse_ba), rel=1e-12)
    assert (result.hausdorff_ab, result.hausdorff_ba) == (max_ab, max_ba)
    assert result.mse == max(result.mse_ab, result.mse_ba)
    assert result.hausdorff == max(max_ab, max_ba)
    assert result.psnr_ab == pytest.approx(10 * math.log10(3 * 49 / mse_ab))
    assert result.psnr == min(result.psnr_ab, result.psnr_ba)
    assert result.hausdorff_psnr == min(result.hausdorff_psnr_ab, result.hausdorff_psnr_ba)


def test_a_case_by_hand():
    a = Cloud(np.float32([[0, 0, 0], [0, 0, 0], [3, 0, 0], [3, 4, 0]]))
    b = Cloud(np.float32([[0, 0, 1], [3, 0, 0]]))
    result = d1_of(a, b)
    assert result.peak == 4  # the nearest neighbour of (3, 4, 0)
    assert (result.mse_ab, result.mse_ba) == pytest.approx(((1 + 0 + 16) / 3, 1 / 2))
    assert (result.hausdorff_ab, result.hausdorff_ba, result.hausdorff) == (16, 1, 16)
    assert result.hausdorff_psnr_ab == pytest.approx(10 * math.log10(3))


def test_equal_clouds_are_infinitely_good():
    cloud = Cloud(np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32))
    result = d1_of(cloud, Cloud(cloud.points[::-1].copy()))
    assert result.mse == result.hausdorff == 0
    assert result.psnr == result.hausdorff_psnr == math.inf


def test_does_not_depend_on_the_order_of_points_and_swaps_its_directions():
    generator = np.random.default_rng(1)
    a, b = (generator.normal(size=(size, 3)).astype(np.float32) for size in (200, 150))
    result = d1_of(Cloud(a), Cloud(b), peak=1.0)
    assert d1_of(Cloud(generator.permutation(a)), Cloud(generator.permutation(b)), peak=1.0) == result
    swapped = d1_of(Cloud(b), Cloud(a), peak=1.0)
    assert (swapped.mse_ab, swapped.psnr_ba, swapped.mse) == (result.mse_ba, result.psnr_ab, result.mse)


def test_voxels_may_be_moved_together():
    generator = np.random.default_rng(2)
    a, b = (generator.integers(0, 30, (300, 3)).astype(np.float32) for _ in range(2))
    shift = np.float32([-70, 1000, 3])
    assert asdict(d1_of(Cloud(a + shift), Cloud(b + shift))) == asdict(d1_of(Cloud(a), Cloud(b)))


def test_refuses_a_missing_or_impossible_peak():
    single = Cloud(np.zeros((3, 3), np.float32), source=Path("one.ply"))
    with pytest.raises(InputError, match=r"one\.ply: no two points are more than 1e-05 apart.*give peak="):
        d1_of(single, single)
    assert d1_of(single, single, peak=1.0).mse == 0
    for peak in (0, -1, math.nan, math.inf):
        with pytest.raises(InputError, match="expected a positive, finite peak"):
            d1_of(single, single, peak=float(peak))


def test_coordinates_beyond_float32_are_refused_and_huge_ones_measured():
    single = Cloud(np.zeros((1, 3), np.float32))
    with pytest.raises(InputError, match=r"within float32 \(3\.4e38\), got 1e\+300"):
        d1_of(Cloud(np.array([[1e300, 0, 0]])), single, peak=1.0)
    with pytest.raises(InputError, match=r"farther apart than float32 can say"):
        d1_of(Cloud(np.array([[3e38, 0, 0]])), Cloud(np.array([[-3e38, 0, 0]])), peak=1.0)
    result = d1_of(Cloud(np.float32([[1e30, 0, 0], [0, 0, 0]])), single, peak=1e300)
    assert result.hausdorff == pytest.approx(1e60)
    assert result.hausdorff_psnr == pytest.approx(10 * math.log10(3) + 6000 - 600)
