import numpy as np
import pytest

import pcqa.metrics.tied_neighbors
from pcqa.metrics.point_set import PointSet
from pcqa.metrics.tied_neighbors import nearest_lowest_row


def in_order(points, queries, k):
    distances = np.sqrt(((queries[:, None] - points[None]) ** 2).sum(axis=2))
    rows = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, rows, axis=1), rows


@pytest.mark.parametrize("k", [1, 5, 40, 120])
def test_voxels_in_order_of_distance_and_row(k):
    points = np.random.default_rng(k).permutation(np.argwhere(np.ones((5, 6, 4)))).astype(np.float64)
    queries = np.vstack((points, points[:20] + 0.5))
    found = nearest_lowest_row(PointSet(points), queries, k)
    distances, rows = in_order(points, queries, k)
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_array_equal(found.distances, distances)


@pytest.mark.parametrize("most_at_once", [1 << 22, 1000])
def test_many_points_at_one_distance(most_at_once, monkeypatch):
    monkeypatch.setattr(pcqa.metrics.tied_neighbors, "MOST_AT_ONCE", most_at_once)
    # 300 tied points: far more than are asked for beyond k.
    points = np.vstack((np.zeros((300, 3)), np.ones((100, 3))))
    queries = np.array([[1.0, 1, 1], [0, 0, 0], [0, 0, 0]])
    found = nearest_lowest_row(PointSet(points), queries, 90)
    np.testing.assert_array_equal(found.rows, [range(300, 390), range(90), range(90)])
    np.testing.assert_array_equal(found.distances, np.zeros((3, 90)))


def test_all_points_may_be_asked_for():
    points = np.zeros((4, 3))
    found = nearest_lowest_row(PointSet(points), points[:2], 4)
    np.testing.assert_array_equal(found.rows, [range(4)] * 2)
