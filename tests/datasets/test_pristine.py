import itertools

import numpy as np
import pytest
from scipy.spatial import KDTree

from rankqa_datasets.pristine_clouds import CLOUD_KINDS, pristine_cloud, to_voxels
from rankqa_datasets.pristine_images import IMAGE_KINDS, pink_noise, pristine_image


@pytest.mark.parametrize("kind", IMAGE_KINDS)
def test_images(kind):
    image = pristine_image(kind, 64, 3)
    assert image.shape == (64, 64, 3)
    assert image.dtype == np.uint8
    assert image.std() > 10
    np.testing.assert_array_equal(image, pristine_image(kind, 64, 3))
    assert not np.array_equal(image, pristine_image(kind, 64, 4))


def spectral_slope(grey: np.ndarray) -> float:
    """Slope of log amplitude over log frequency, averaged over rings, without the lowest and highest frequencies."""
    size = len(grey)
    window = np.hanning(size)[:, None] * np.hanning(size)
    amplitude = np.abs(np.fft.fft2((grey - grey.mean()) * window))
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None, :])
    rings = np.geomspace(3 / size, 0.25, 9)
    means = [amplitude[(frequency >= low) & (frequency < high)].mean() for low, high in itertools.pairwise(rings)]
    return float(np.polyfit(np.log(np.sqrt(rings[1:] * rings[:-1])), np.log(means), 1)[0])


def test_spectra_fall_as_those_of_photographs():
    noise = [spectral_slope(pink_noise(128, np.random.default_rng(seed), exponent=1.0)) for seed in range(4)]
    assert np.mean(noise) == pytest.approx(-1.0, abs=0.2)
    leaves = [spectral_slope(pristine_image("leaves", 128, seed).mean(axis=2)) for seed in range(6)]
    assert -1.7 < np.mean(leaves) < -0.8


@pytest.mark.parametrize("kind", CLOUD_KINDS)
def test_clouds(kind):
    points, colors = pristine_cloud(kind, 3000, 5)
    assert points.shape == colors.shape == (3000, 3)
    assert points.dtype == np.float32
    assert colors.dtype == np.uint8
    assert points.min() == 0
    assert np.ptp(points, axis=0).max() == pytest.approx(1023, abs=1e-3)
    assert colors.std(axis=0).max() > 5
    again = pristine_cloud(kind, 3000, 5)
    np.testing.assert_array_equal(points, again[0])
    np.testing.assert_array_equal(colors, again[1])
    assert not np.array_equal(points, pristine_cloud(kind, 3000, 6)[0])


@pytest.mark.parametrize("kind", CLOUD_KINDS)
def test_points_cover_the_surface_about_evenly(kind):
    points, _ = pristine_cloud(kind, 4000, 1)
    # On a surface the squared distance to the 8th neighbour is proportional to 1 / density; poles would show here.
    distance = KDTree(points).query(points, k=9)[0][:, -1]
    area = distance**2
    assert np.quantile(area, 0.99) / np.median(area) < 4
    assert np.median(area) / np.quantile(area, 0.01) < 6


def test_voxels_are_whole_and_unique():
    points = np.array([[0.2, 0, 0], [0.4, 0, 0], [5.6, 1, 2], [0.0, 0, 0]], np.float32)
    colors = np.array([[1, 1, 1], [2, 2, 2], [3, 3, 3], [4, 4, 4]], np.uint8)
    rounded, kept = to_voxels(points, colors)
    np.testing.assert_array_equal(rounded, [[0, 0, 0], [6, 1, 2]])
    np.testing.assert_array_equal(kept, [[1, 1, 1], [3, 3, 3]])
    assert rounded.dtype == np.float32


def test_bad_requests():
    with pytest.raises(ValueError, match="leaves, scene, text"):
        pristine_image("photo", 64)
    with pytest.raises(ValueError, match="at least 16"):
        pristine_image("text", 8)
    with pytest.raises(ValueError, match="torus"):
        pristine_cloud("cube")
    with pytest.raises(ValueError, match="at least 16"):
        pristine_cloud("torus", 3)
