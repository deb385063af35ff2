import math

import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.metrics.key_points import draw_key_points, smoothing_movement


def naive_movement(points: np.ndarray) -> np.ndarray:
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    near = np.argsort(distances, axis=1)[:, :50]
    members = {math.floor(k * (len(points) - 1) / 99 + 0.5) for k in range(100)}
    scale = max(np.sort(distances[member])[49] for member in members)
    current = points
    for _ in range(4):
        smoothed = np.empty_like(points)
        for i, neighbors in enumerate(near):
            weights = np.array([math.exp(-((distances[i, j] / (scale / 2)) ** 2)) for j in neighbors[1:]])
            smoothed[i] = weights @ current[neighbors[1:]] / weights.sum() if weights.sum() > 1e-6 else current[i]
        current = smoothed
    return np.square(current - points).sum(axis=1)


def test_movement_equals_a_naive_loop():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(300, 3)) * [10, 8, 1]
    points[7] = [0, 200, 0]  # far from the others, too far for a weight
    found = smoothing_movement(points)
    np.testing.assert_allclose(found, naive_movement(points), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(smoothing_movement(points + 5000), found, rtol=1e-6, atol=1e-9)


def test_draws_follow_movement_and_seed():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-1, 1, (2, 4000))
    points = np.stack([100 * x, 100 * y, np.where(x > 0, 60 * x, 0)], axis=1)  # a sheet with a fold
    cloud = Cloud(points)
    rows = draw_key_points(cloud, seed=1, points_per_key_point=4)
    assert len(rows) == 1000
    np.testing.assert_array_equal(rows, draw_key_points(cloud, seed=1, points_per_key_point=4))
    assert (rows != draw_key_points(cloud, seed=2, points_per_key_point=4)).any()
    movement = smoothing_movement(points)
    # The mean of a quantity over draws in proportion to the movement.
    expected = movement**2 @ np.ones(4000) / movement.sum()
    assert movement[rows].mean() == pytest.approx(expected, rel=0.15)
    assert expected > 2 * movement.mean()


@pytest.mark.parametrize(("count", "draws"), [(1, 1), (2, 1), (49, 1), (14_999, 1), (15_000, 2)])
def test_number_of_key_points(count, draws):
    rng = np.random.default_rng(0)
    rows = draw_key_points(Cloud(rng.random((count, 3))), seed=0)
    assert len(rows) == draws
    assert (rows >= 0).all()
    assert (rows < count).all()


def test_equal_points_are_equally_likely():
    rows = draw_key_points(Cloud(np.ones((200, 3))), seed=0, points_per_key_point=1)
    assert len(set(rows.tolist())) > 100
