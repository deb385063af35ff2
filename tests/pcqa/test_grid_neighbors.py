import numpy as np
import pytest

from pcqa.ops.grid_neighbors import grid_neighbors


def naive(query: np.ndarray, points: np.ndarray, neighbors: int) -> list[int]:
    squares = np.square(points - query).sum(axis=1)
    return [int(row) for row in np.lexsort((np.arange(len(points)), squares))[:neighbors]]


@pytest.mark.parametrize("neighbors", [1, 7, 20])
def test_lower_rows_of_equally_near_points(neighbors):
    generator = np.random.default_rng(0)
    points = generator.integers(0, 9, (1500, 3)).astype(np.float64)  # many points twice and more
    queries = generator.integers(0, 9, (300, 3)) + 0.5
    found = grid_neighbors(queries, points, neighbors)
    served = 0
    for query, rows in zip(queries, found, strict=True):
        expected = naive(query, points, neighbors)
        assert rows[0] == expected[0]
        ours, right = (np.sort(np.square(points[list(some)] - query).sum(axis=1)) for some in (rows, expected))
        np.testing.assert_array_equal(ours, right)
        served += sorted(rows) == sorted(expected)
    assert served > 0.8 * len(queries)


@pytest.mark.parametrize("scale", [1e-40, 1.0, 1e40])
def test_lone_points_and_clusters(scale):
    generator = np.random.default_rng(1)
    points = np.concatenate([generator.random((500, 3)), generator.random((500, 3)) * 1e-3 + 50, [[1e6, 0, 0]]]) * scale
    queries = np.concatenate([points[::7] + 1e-4 * scale, [[-1e5 * scale, 0, 0]]])
    found = grid_neighbors(queries, points, 5)
    for query, rows in zip(queries, found, strict=True):
        assert sorted(rows) == sorted(naive(query / scale, points / scale, 5))


def test_equal_points():
    points = np.ones((50, 3))
    np.testing.assert_array_equal(grid_neighbors(np.zeros((4, 3)), points, 1), np.zeros((4, 1)))
    assert grid_neighbors(points, points, 20)[:, 0].max() == 0
