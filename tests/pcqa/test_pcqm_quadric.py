import numpy as np
import pytest
from scipy.linalg import get_lapack_funcs

from pcqa.metrics.pcqm_quadric import fit_quadric, mean_curvature, new_scratch, principal_axes


def fit(offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    coefficients, frame = np.empty(6), np.empty((3, 3))
    fit_quadric(np.ascontiguousarray(offsets.T), len(offsets), coefficients, frame, new_scratch())
    return coefficients, frame


def system(offsets: np.ndarray, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    z, y, x = (offsets @ frame).T
    return np.column_stack([x * x, y * y, x * y, x, y, np.ones(len(x))]), z


def test_principal_axes_equal_eigh():
    generator = np.random.default_rng(0)
    for _ in range(50):
        half = generator.standard_normal((3, 3))
        matrix, axes = half @ half.T, np.empty((3, 3))
        principal_axes(matrix.copy(), axes)
        expected = np.linalg.eigh(matrix)[1]
        np.testing.assert_allclose(np.abs((axes * expected).sum(axis=0)), 1, atol=1e-9)
        np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-14)


def test_axes_of_the_zero_matrix():
    axes = np.empty((3, 3))
    principal_axes(np.zeros((3, 3)), axes)
    np.testing.assert_array_equal(axes, np.eye(3))


@pytest.mark.parametrize("scale", [1e-20, 1e-3, 1.0, 300.0, 1e20])
def test_least_squares_at_any_scale(scale):
    offsets = np.random.default_rng(1).standard_normal((25, 3)) * [3, 2, 0.5]
    coefficients, frame = fit(offsets * scale)
    matrix, z = system(offsets, frame)
    expected = np.linalg.lstsq(matrix, z, rcond=None)[0] / scale ** np.array([1, 1, 1, 0, 0, -1])
    np.testing.assert_allclose(coefficients, expected, rtol=1e-9)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_basic_solution_of_few_points(count):
    offsets = np.random.default_rng(count).standard_normal((count, 3)) * [3, 2, 1]
    coefficients, frame = fit(offsets)
    matrix, z = system(offsets, frame)
    (geqp3,) = get_lapack_funcs(("geqp3",), (matrix,))
    order = geqp3(matrix)[1][:count] - 1  # LAPACK's pivots, from 1
    expected = np.zeros(6)
    expected[order] = np.linalg.solve(matrix[:, order], z)
    np.testing.assert_allclose(coefficients, expected, rtol=1e-9, atol=1e-12)


def test_a_planar_lattice_of_dependent_columns_is_flat():
    """On the corners and the middle of a square, x^2 equals y^2: columns depend on each other."""
    square = np.array([[1, 0], [-1, 0], [0, 2], [0, -2], [0, 0], [0, 0]], np.float64)
    coefficients, frame = fit(np.column_stack([square, np.full(6, 0.25)]))
    np.testing.assert_allclose(np.abs(coefficients), [0, 0, 0, 0, 0, 0.25], atol=1e-12)
    assert abs(frame[2, 0]) == 1


def test_no_points_and_equal_points_are_flat():
    for offsets in (np.empty((0, 3)), np.zeros((1, 3)), np.zeros((8, 3))):
        coefficients, _ = fit(offsets)
        np.testing.assert_array_equal(coefficients, 0)
        assert mean_curvature(coefficients) == 0


def test_curvature_of_a_sphere():
    generator = np.random.default_rng(2)
    x, y = generator.uniform(-0.1, 0.1, (2, 60))
    coefficients, _ = fit(np.column_stack([x, y, 4 - np.sqrt(16 - x * x - y * y)]))
    np.testing.assert_allclose(abs(mean_curvature(coefficients)), 0.25, rtol=1e-3)
