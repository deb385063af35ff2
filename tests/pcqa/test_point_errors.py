import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.color_error import color_error
from pcqa.metrics.point_errors import point_errors
from pcqa.metrics.point_to_point import d1


def cloud(seed: int, *, colored: bool = True, count: int = 90) -> Cloud:
    """Voxels, some of them repeated, many equally far from those of another such cloud."""
    rng = np.random.default_rng(seed)
    colors = (rng.integers(0, 256, (count, 3)) / 255).astype(np.float32)
    return Cloud(rng.integers(0, 5, (count, 3)).astype(np.float32), colors if colored else None)


def ycc(rgb) -> np.ndarray:
    """BT.709, levels of 0..255, without the offset of the chroma."""
    r, g, b = rgb
    return np.array([
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        -0.1146 * r - 0.3854 * g + 0.5 * b,
        0.5 * r - 0.4542 * g - 0.0458 * b,
    ])  # fmt: skip


def by_hand(points, colors, other_points, other_colors) -> tuple[list[float], list[float]]:
    distances, differences = [], []
    for point, color in zip(points, colors, strict=True):
        squares = ((other_points - point) ** 2).sum(axis=1)
        mean = np.floor(other_colors[squares == squares.min()].astype(float).mean(axis=0) + 0.5)
        y, u, v = ycc(color.astype(float)) - ycc(mean)
        distances.append(np.sqrt(squares.min()))
        differences.append(np.sqrt((6 * y * y + u * u + v * v) / 8))
    return distances, differences


def test_each_point_has_the_error_of_a_plain_loop():
    pair = CloudPair(cloud(0), cloud(1))
    errors = point_errors(pair)
    a, b = pair.merged_reference, pair.merged_distorted
    for mine, other, distances, differences in (
        (a, b, errors.distance_ab, errors.color_ab),
        (b, a, errors.distance_ba, errors.color_ba),
    ):
        assert mine.colors is not None
        assert other.colors is not None
        assert differences is not None
        expected = by_hand(mine.points, mine.colors, other.points, other.colors)
        np.testing.assert_allclose(distances, expected[0], rtol=1e-12)
        # Y, Cb and Cr are float32.
        np.testing.assert_allclose(differences, expected[1], atol=1e-3)


def test_their_mean_squares_are_those_of_the_metrics():
    pair = CloudPair(cloud(2), cloud(3, count=70))
    errors, geometry, color = point_errors(pair), d1(pair), color_error(pair)
    assert np.mean(errors.distance_ab**2) == pytest.approx(geometry.mse_ab, rel=1e-12)
    assert np.mean(errors.distance_ba**2) == pytest.approx(geometry.mse_ba, rel=1e-12)
    for differences, mse in ((errors.color_ab, color.mse_ab), (errors.color_ba, color.mse_ba)):
        assert differences is not None
        assert np.mean(differences**2) == pytest.approx(255**2 * np.dot(mse, (6, 1, 1)) / 8, rel=1e-6)


def test_a_cloud_with_itself_has_no_errors():
    errors = point_errors(CloudPair(cloud(4), cloud(4)))
    assert not any(np.any(values) for values in vars(errors).values())


def test_without_colors_distances_alone():
    errors = point_errors(CloudPair(cloud(5), cloud(6, colored=False)))
    assert errors.color_ab is None
    assert errors.color_ba is None
    assert errors.distance_ab.any()
