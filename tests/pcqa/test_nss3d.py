"""3D-NSS against its program, naive loops, pandas' rule for bins by hand, and SciPy's distributions."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from pcqa.cloud import Cloud
from pcqa.features.cielab import cielab
from pcqa.features.distributions import binned_entropy, fit_aggd, fit_gamma, fit_ggd
from pcqa.features.eigen_features import EIGEN_FEATURES, eigen_features
from pcqa.features.nss3d import NSS3D_NAMES, nss3d
from rankqa_datasets.errors import InputError

# Printed by zzc-1998/NR-3DQA (commit 6c485eb; pyntcloud 0.3.1, scikit-image 0.26, pandas 3.0) for the clouds below, as
# PLY with double coordinates. A row is a line of the file: colours, then each shape.
PROGRAM = json.loads(Path(__file__).with_name("nss3d_program.json").read_text())


def sheet_points() -> np.ndarray:
    """1,500 points of a curved sheet with some noise, by operations that every machine rounds alike."""
    u, v, w = _sequences()
    return np.column_stack([u, v, 0.3 * u * u - 0.2 * u * v + 0.05 * w])


def _sequences() -> list[np.ndarray]:
    i = np.arange(1500)
    return [(i * step) % 1 for step in (0.6180339887498949, 0.41421356237309515, 0.7320508075688772)]


def _cloud(points: np.ndarray, levels: np.ndarray) -> Cloud:
    return Cloud(points=points, colors=(levels / 255).astype(np.float32))


def sheet() -> Cloud:
    u, v, w = _sequences()
    return _cloud(sheet_points(), np.floor(np.column_stack([255 * u, 255 * v * v, 40 + 200 * w * u])))


def voxels() -> Cloud:
    points = np.unique(np.floor(24 * sheet_points()), axis=0)
    x, y, _ = points.T
    return _cloud(points, np.column_stack([x * 10, y * 7 + 30, (x * y) % 251]))


@pytest.mark.parametrize("make", [sheet, voxels])
def test_the_numbers_are_the_programs(make):
    assert list(nss3d(make()).values()) == pytest.approx(PROGRAM[make.__name__], rel=1e-12)


def test_names_stand_in_the_order_of_the_released_tables(shared_dir):
    header = (shared_dir / "data/features/nr3dqa/wpc_features.csv").read_text(encoding="utf-8-sig").splitlines()[0]
    assert header.split(",") == ["name", *NSS3D_NAMES]
    assert tuple(nss3d(sheet())) == NSS3D_NAMES


def test_eigen_features_equal_a_loop(monkeypatch):
    points = np.random.default_rng(0).random((30, 3))
    expected = []
    for point in points:
        distances = [float(np.linalg.norm(point - other)) for other in points]
        near = points[np.argsort(distances)[:11]]
        covariance = np.zeros((3, 3))
        for other in near:
            offset = other - sum(near) / 11
            covariance += np.outer(offset, offset) / 11
        l3, l2, l1 = sorted(np.linalg.eigvals(covariance))
        expected.append([l3 / (l1 + l2 + l3), (l1 - l3) / l1, (l1 - l2) / l1, (l2 - l3) / l1, l3 / l1])
    whole = eigen_features(Cloud(points=points))
    np.testing.assert_allclose(whole, expected, rtol=1e-10)
    monkeypatch.setattr("pcqa.features.eigen_features.CHUNK", 7)
    np.testing.assert_array_equal(eigen_features(Cloud(points=points)), whole)


def test_eigen_features_of_known_shapes():
    line = np.outer(np.arange(20.0), [1.0, 2.0, -1.0])
    curvature, anisotropy, linearity, planarity, sphericity = eigen_features(Cloud(points=line)).T
    np.testing.assert_allclose([anisotropy, linearity], 1, atol=1e-12)
    np.testing.assert_allclose([curvature, planarity, sphericity], 0, atol=1e-12)
    assert not eigen_features(Cloud(points=np.ones((12, 3)))).any()


def test_turning_moving_scaling_and_shuffling_a_cloud_change_nothing():
    cloud, rng = sheet(), np.random.default_rng(0)
    assert cloud.colors is not None
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    order = rng.permutation(cloud.num_points)
    other = Cloud(points=5 * cloud.points[order] @ turn + 3, colors=cloud.colors[order])
    expected, found = nss3d(cloud), nss3d(other)
    for name, value in expected.items():
        # A turn moves ratios by rounding, and one of them over the edge of a bin.
        assert found[name] == pytest.approx(value, rel=1e-3 if "entropy" in name else 1e-7), name


def test_colours_reach_only_their_own_statistics_and_lightness_shifts_the_mean():
    cloud = sheet()
    grey = np.repeat(np.linspace(0, 1, cloud.num_points, dtype=np.float32)[:, None], 3, axis=1)
    first, second = nss3d(Cloud(points=cloud.points, colors=grey)), nss3d(Cloud(points=cloud.points, colors=1 - grey))
    assert list(first.values())[9:] == list(nss3d(cloud).values())[9:]
    # The same levels of grey, in the opposite order.
    assert list(first.values())[:9] == pytest.approx(list(second.values())[:9], rel=1e-9)
    one = nss3d(Cloud(points=cloud.points, colors=np.full_like(grey, 0.5)))
    assert [one[f"{channel}_{name}"] for channel in "lab" for name in ("std", "entropy")] == pytest.approx([0] * 6)


def test_cielab_of_known_colours():
    rgb = np.array([[1, 1, 1], [0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [119 / 255] * 3])
    # From the definition, D65, to the digits that differ between published matrices.
    lab = [
        [100, 0, 0],
        [0, 0, 0],
        [53.24, 80.09, 67.20],
        [87.73, -86.18, 83.18],
        [32.30, 79.19, -107.86],
        [50.03, 0, 0],
    ]
    np.testing.assert_allclose(cielab(rgb), lab, atol=0.02)


def test_entropy_equals_a_loop_over_bins():
    values = np.r_[np.random.default_rng(0).normal(size=500), -4, 4, np.linspace(-4, 4, 2001)[[7, 1000]]]
    edges = np.linspace(-4, 4, 2001)
    counts = [np.sum((values > low) & (values <= high)) for low, high in pairwise(edges)]
    counts[0] += 1  # the least value
    assert sum(counts) == len(values)
    assert binned_entropy(values) == pytest.approx(stats.entropy(counts), rel=1e-12)
    assert binned_entropy(np.full(5, 0.3)) == 0
    assert binned_entropy(np.arange(2001.0)) == pytest.approx(np.log(2001) - 2 / 2001 * np.log(2))


@pytest.mark.parametrize("shape", [0.5, 1.0, 2.0, 4.0])
def test_fits_find_the_parameters_of_quantiles(shape):
    # Quantiles at the middles of equal shares stand for a sample without chance.
    shares = (np.arange(400_000) + 0.5) / 400_000
    values = stats.gennorm(shape, scale=0.7).ppf(shares)
    own_shape, spread = fit_ggd(values)
    assert own_shape == pytest.approx(shape, rel=0.01)
    assert spread == pytest.approx(stats.gennorm(shape, scale=0.7).std(), rel=0.01)
    skewed = np.where(values < 0, values, 3 * values)
    # Each side of an asymmetric one holds a share of the values that is proportional to its scale.
    skewed = np.r_[skewed[values < 0], np.repeat(skewed[values > 0], 3)]
    own_shape, mean, left, right = fit_aggd(skewed)
    assert own_shape == pytest.approx(shape, rel=0.01)
    assert right / left == pytest.approx(3, rel=1e-9)
    assert left == pytest.approx(stats.gennorm(shape, scale=0.7).std(), rel=0.01)
    assert mean == pytest.approx(skewed.mean(), rel=0.01)


def test_gamma_has_the_values_mean_and_variance():
    values = np.random.default_rng(0).gamma(2.5, 0.3, 1000)
    shape, scale = fit_gamma(values)
    distribution = stats.gamma(shape, scale=scale)
    assert (distribution.mean(), distribution.var()) == pytest.approx((values.mean(), values.var()))


def test_what_has_no_statistics_is_refused_in_one_line():
    points = sheet().points
    with pytest.raises(InputError, match="cloud: 3D-NSS has statistics of colours, and the cloud has none"):
        nss3d(Cloud(points=points))
    with pytest.raises(InputError, match=r"expected at least 11 points, .* got 10"):
        nss3d(Cloud(points=points[:10], colors=np.zeros((10, 3), np.float32)))
    with pytest.raises(InputError, match="expected coordinates within"):
        nss3d(Cloud(points=1e200 * points, colors=np.zeros((len(points), 3), np.float32)))
    flat = np.column_stack([points[:, :2], np.zeros(len(points))])
    with pytest.raises(InputError, match="the curvature is 0 at every point"):
        nss3d(Cloud(points=flat, colors=np.zeros((len(points), 3), np.float32)))
    with pytest.raises(InputError, match="the curvature is 0 at every point"):
        nss3d(Cloud(points=np.ones((20, 3)), colors=np.zeros((20, 3), np.float32)))


def test_features_are_bounded():
    features = eigen_features(voxels())
    assert features.shape == (844, len(EIGEN_FEATURES))
    assert features.min() >= 0
    assert features.max() <= 1
