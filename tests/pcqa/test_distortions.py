import numpy as np
import pytest
from scipy.spatial import KDTree

from pcqa.cloud import Cloud
from pcqa.distortions import DISTORTIONS, color_noise, distort, down_sampling, geometry_noise, octree_quantization
from rankqa_datasets.errors import InputError
from rankqa_datasets.pristine_clouds import pristine_cloud

RNG = np.random.default_rng


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    points, colors = pristine_cloud("blob", 4000, 1)
    return Cloud(points, (colors / 255).astype(np.float32), normals=np.ones_like(points))


def colors_of(cloud: Cloud) -> np.ndarray:
    assert cloud.colors is not None
    return cloud.colors


def d1(first: np.ndarray, second: np.ndarray) -> float:
    """Symmetric mean squared distance to the nearest point."""
    there, back = KDTree(second).query(first)[0], KDTree(first).query(second)[0]
    return float(max(np.mean(there**2), np.mean(back**2)))


@pytest.mark.parametrize("name", DISTORTIONS)
def test_levels_get_worse_and_seeds_decide(cloud, name):
    levels = [distort(cloud, name, level, seed=4) for level in range(1, 7)]
    assert all(level.points.dtype == cloud.points.dtype for level in levels)
    if name == "color_noise":
        errors = [float(np.mean((colors_of(level) - colors_of(cloud)) ** 2)) for level in levels]
    else:
        errors = [d1(cloud.points, level.points) for level in levels]
    assert errors[0] > 0
    assert errors == sorted(errors)
    again, other = distort(cloud, name, 3, seed=4), distort(cloud, name, 3, seed=5)
    np.testing.assert_array_equal(levels[2].points, again.points)
    np.testing.assert_array_equal(colors_of(levels[2]), colors_of(again))
    same = other.points.shape == again.points.shape and np.array_equal(other.points, again.points)
    assert (same and np.array_equal(colors_of(other), colors_of(again))) == (name == "octree_quantization")


def test_down_sampling_keeps_whole_points(cloud):
    half = down_sampling(cloud, 0.6, RNG(0))
    assert half.num_points == 1600
    where = {tuple(point): index for index, point in enumerate(cloud.points)}
    kept = [where[tuple(point)] for point in half.points]
    assert kept == sorted(set(kept))
    np.testing.assert_array_equal(colors_of(half), colors_of(cloud)[kept])
    assert half.normals is not None
    assert half.normals.shape == half.points.shape
    assert down_sampling(cloud, 1.0, RNG(0)).num_points == 1


def test_geometry_noise_is_a_share_of_the_longest_side(cloud):
    stretched = Cloud(cloud.points.astype(np.float64) * (1, 1, 3) + 7)
    side = np.ptp(stretched.points, axis=0).max()
    moved = geometry_noise(stretched, 0.01, RNG(0)).points - stretched.points
    np.testing.assert_allclose(moved.std(axis=0), 0.01 * side, rtol=0.05)
    assert geometry_noise(cloud, 0.01, RNG(0)).points.dtype == np.float32


def test_color_noise_hits_a_share_by_one_offset(cloud):
    grey = Cloud(cloud.points, np.full_like(cloud.points, 0.5))
    noisy = color_noise(grey, 0.3, RNG(0))
    offset = 255 * (colors_of(noisy) - colors_of(grey))
    hit = np.abs(offset).max(axis=1) > 0
    assert hit.mean() == pytest.approx(0.3, abs=1e-3)
    np.testing.assert_array_equal(offset[:, 0], offset[:, 2])
    assert np.abs(offset).max() <= 30 + 1e-3
    # Uniform over +-30 has the standard deviation 60 / sqrt(12).
    assert offset[hit].std() == pytest.approx(60 / np.sqrt(12), rel=0.05)
    with pytest.raises(InputError, match="expected colours"):
        color_noise(Cloud(cloud.points), 0.3, RNG(0))


def test_octree_merges_a_cell_into_its_centre_with_the_mean_colour():
    points = np.array([[0, 0, 0], [1, 0, 0], [7.5, 0, 0], [8, 8, 8]], np.float64)
    colors = np.array([[0, 0, 0], [1, 0.5, 0], [0.25, 0, 0], [0, 0, 1]], np.float32)
    merged = octree_quantization(Cloud(points, colors), 2.0, RNG(0))
    np.testing.assert_allclose(merged.points, [[1, 1, 1], [7, 1, 1], [7, 7, 7]])
    np.testing.assert_allclose(colors_of(merged), [[0.5, 0.25, 0], [0.25, 0, 0], [0, 0, 1]])
    assert octree_quantization(Cloud(points), 2.0, RNG(0)).colors is None


def test_octree_error_is_that_of_rounding(cloud):
    bits = 7.0
    cell = np.ptp(cloud.points, axis=0).max() / 2**bits
    merged = octree_quantization(cloud, bits, RNG(0))
    assert KDTree(merged.points).query(cloud.points)[0].max() <= cell * np.sqrt(3) / 2 * 1.001
    assert octree_quantization(Cloud(cloud.points[:1]), 5.0, RNG(0)).num_points == 1


@pytest.mark.parametrize(("name", "level", "message"), [("fog", 1, "down_sampling"), ("color_noise", 7, "from 1 to 6")])
def test_bad_requests(cloud, name, level, message):
    with pytest.raises(InputError, match=message):
        distort(cloud, name, level)
