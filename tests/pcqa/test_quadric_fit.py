import numpy as np
import pytest

from pcqa.metrics.quadric_fit import quadric_fit
from rankqa_datasets.errors import InputError


def naive(points: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """One least-squares problem after the other, by singular values."""
    normals, curvatures = [], []
    for point in points:
        near = points[np.linalg.norm(points - point, axis=1) <= radius] - point
        z_axis, y_axis, x_axis = np.linalg.svd(near - near.mean(axis=0))[2][::-1]
        x, y, z = near @ x_axis, near @ y_axis, near @ z_axis
        a, b, c, d, e, _ = np.linalg.lstsq(np.stack([x * x, y * y, x * y, x, y, np.ones_like(x)], 1), z)[0]
        normal = z_axis - d * x_axis - e * y_axis
        normals.append(normal / np.linalg.norm(normal))
        above = (1 + d**2) * 2 * b + (1 + e**2) * 2 * a - 2 * d * e * c
        curvatures.append(abs(above) / (2 * (1 + d**2 + e**2) ** 1.5))
    return np.array(normals), np.array(curvatures)


def wave(count: int) -> np.ndarray:
    x, y = np.random.default_rng(0).uniform(-10, 10, (2, count))
    return np.stack([x, y, np.sin(x) + 0.1 * y**2], axis=1)


def test_equals_a_naive_loop():
    points = wave(800)
    normals, curvatures = quadric_fit(points, 3.0)
    expected_normals, expected_curvatures = naive(points, 3.0)
    # With fewer points the least-squares problem is near singular, and the two solutions differ.
    enough = (np.linalg.norm(points[:, None] - points, axis=2) <= 3).sum(axis=1) >= 10
    assert enough.sum() > 700
    likeness = np.abs((normals * expected_normals).sum(axis=1))
    np.testing.assert_allclose(likeness[enough], 1, rtol=1e-12)
    np.testing.assert_allclose(curvatures[enough], expected_curvatures[enough], rtol=1e-6, atol=1e-9)


def test_a_sphere_and_a_plane():
    directions = np.random.default_rng(0).normal(size=(5000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    normals, curvatures = quadric_fit(50 * directions + 1000, 8.0)
    np.testing.assert_allclose(curvatures, 1 / 50, rtol=0.01)
    np.testing.assert_allclose(np.abs((normals * directions).sum(axis=1)), 1, rtol=1e-5)

    x, y = (axis.reshape(-1).astype(float) for axis in np.mgrid[:20, :20])
    normals, curvatures = quadric_fit(np.stack([x, y, 2 * x - y], axis=1), 6.0)
    assert not curvatures.any()
    np.testing.assert_allclose(np.abs(normals @ [2, -1, -1]), np.sqrt(6), rtol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_too_few_points_for_a_quadric_are_finite(count):
    normals, curvatures = quadric_fit(wave(count), 100.0)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)
    assert np.isfinite(curvatures).all()


@pytest.mark.parametrize("radius", [0.0, -1.0, 1e-9, np.inf, np.nan])
def test_refuses_an_impossible_radius(radius):
    with pytest.raises(InputError, match=r"x\.ply: expected a radius for fits between"):
        quadric_fit(wave(10), radius, name="x.ply")
