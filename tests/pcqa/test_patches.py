from pathlib import Path

import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.patches import make_patches
from rankqa_datasets.errors import InputError


def random_cloud(count=500, seed=0, dtype=np.float32, colors=True):
    generator = np.random.default_rng(seed)
    points = generator.normal(size=(count, 3)).astype(dtype)
    return Cloud(points, generator.random((count, 3), np.float32) if colors else None)


def test_each_patch_is_the_nearest_points_brought_to_the_unit_sphere():
    cloud = random_cloud(dtype=np.float64)
    patches = make_patches(cloud, count=7, size=32, seed=3)
    half_diagonal = np.linalg.norm(np.ptp(cloud.points, axis=0)) / 2
    for k in range(7):
        distances = np.linalg.norm(cloud.points - patches.centers[k], axis=1)
        rows = np.argsort(distances, kind="stable")[:32]
        assert patches.indices[k].tolist() == rows.tolist()
        raw = cloud.points[rows] - cloud.points[rows].mean(axis=0)
        radius = max(np.linalg.norm(point) for point in raw)
        np.testing.assert_allclose(patches.points[k], raw / radius, atol=1e-6)
        assert patches.scales[k] == pytest.approx(radius / half_diagonal, rel=1e-5)
        np.testing.assert_array_equal(patches.colors[k], cloud.colors[rows])
    assert patches.points.dtype == patches.colors.dtype == patches.scales.dtype == np.float32
    assert patches.centers.dtype == np.float64


def test_centers_are_well_spread_points_chosen_by_the_seed():
    cloud = random_cloud(20_000)
    patches = make_patches(cloud, count=20, size=8, seed=0)
    assert len({tuple(center) for center in patches.centers}) == 20
    np.testing.assert_array_equal(patches.centers, cloud.points[patches.indices[:, 0]])
    spread = np.linalg.norm(cloud.points[:, None] - patches.centers, axis=2).min(axis=1).max()
    others = np.linalg.norm(cloud.points[:, None] - cloud.points[:20], axis=2).min(axis=1).max()
    assert spread < others
    again = make_patches(cloud, count=20, size=8, seed=0)
    fewer = make_patches(cloud, count=5, size=8, seed=0)
    other = make_patches(cloud, count=20, size=8, seed=1)
    np.testing.assert_array_equal(again.points, patches.points)
    np.testing.assert_array_equal(fewer.indices, patches.indices[:5])
    assert not np.array_equal(other.indices, patches.indices)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_place_and_unit_of_the_cloud_do_not_matter(dtype):
    cloud = random_cloud(dtype=dtype)
    # Powers of two and multiples of them change no digit.
    rounded = np.rint(cloud.points * 1024).astype(dtype)
    here = make_patches(Cloud(rounded, cloud.colors), count=4, size=16, seed=0)
    there = make_patches(Cloud((rounded * 0.5 + 4096).astype(dtype), cloud.colors), count=4, size=16, seed=0)
    np.testing.assert_array_equal(here.indices, there.indices)
    np.testing.assert_array_equal(here.points, there.points)
    np.testing.assert_array_equal(here.scales, there.scales)


def test_a_far_outlier_hardly_changes_the_scales():
    cloud = random_cloud(5000)
    clean = make_patches(cloud, count=1, size=64, seed=0)
    points = cloud.points.copy()
    points[np.setdiff1d(np.arange(5000), clean.indices)[0]] = 1e5
    noisy = make_patches(Cloud(points), count=1, size=64, seed=0)
    np.testing.assert_array_equal(noisy.indices, clean.indices)
    assert 0.7 * clean.scales[0] < noisy.scales[0] < clean.scales[0]


def test_whole_cloud_single_points_and_equal_points():
    cloud = random_cloud(40, colors=False)
    whole = make_patches(cloud, count=40, size=40, seed=0)
    assert all(sorted(rows) == list(range(40)) for rows in whole.indices.tolist())
    assert (whole.colors == 0.5).all()
    single = make_patches(cloud, count=3, size=1, seed=0)
    assert (single.points == 0).all()
    assert (single.scales == 0).all()
    doubled = Cloud(np.repeat(cloud.points + np.float32(0.1), 8, axis=0))
    flat = make_patches(doubled, count=5, size=8, seed=0)
    assert (flat.points == 0).all()
    assert (flat.scales == 0).all()


@pytest.mark.parametrize(("count", "size"), [(1, 11), (11, 1), (0, 1), (1, 0)])
def test_refuses_clouds_that_are_too_small(count, size):
    cloud = Cloud(random_cloud(10).points, source=Path("small.ply"))
    with pytest.raises(InputError, match=rf"small\.ply: .* \({count}\) .* \({size}\), got a cloud of 10 points"):
        make_patches(cloud, count=count, size=size, seed=0)


def test_refuses_equal_points_and_too_many_patches():
    with pytest.raises(InputError, match="for patches of 16 points, got 20 points that are all equal"):
        make_patches(Cloud(np.ones((20, 3), np.float32)), count=1, size=16, seed=0)
    with pytest.raises(InputError, match="at most 10000 patches can be cut, got 10001"):
        make_patches(random_cloud(10_001), count=10_001, size=2, seed=0)
