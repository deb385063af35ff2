import numpy as np

from pcqa.metrics.merged_points import merge_points, rounded


def test_equal_positions_become_one_with_the_mean_colour_halves_up():
    points = np.array([[1.0, 0, 0], [0, 2, 0], [1, 0, 0], [0, 1, 5], [1, 0, 0]])
    colors = (np.array([[10, 0, 255], [1, 2, 3], [11, 1, 255], [7, 7, 7], [9, 0, 254]]) / 255).astype(np.float32)
    merged = merge_points(points, colors)
    np.testing.assert_array_equal(merged.points, [[0, 1, 5], [0, 2, 0], [1, 0, 0]])
    np.testing.assert_array_equal(merged.rgb, [[7, 7, 7], [1, 2, 3], [10, 0, 255]])
    twice = merge_points(points[[0, 2]], colors[[0, 2]])
    np.testing.assert_array_equal(twice.rgb, [[11, 1, 255]])  # 10.5 and 0.5


def test_no_order_of_the_points_matters():
    generator = np.random.default_rng(0)
    points = generator.integers(0, 3, (200, 3)).astype(np.float64)
    colors = generator.integers(0, 256, (200, 3)).astype(np.float32) / np.float32(255)
    order = generator.permutation(200)
    one, other = merge_points(points, colors), merge_points(points[order], colors[order])
    np.testing.assert_array_equal(one.points, other.points)
    np.testing.assert_array_equal(one.rgb, other.rgb)
    assert len(one.points) == 27


def test_8_bit_colours_keep():
    every = np.repeat(np.arange(256), 3).reshape(-1, 3)
    points = np.arange(768.0).reshape(-1, 3)
    np.testing.assert_array_equal(merge_points(points, every.astype(np.float32) / np.float32(255)).rgb, every)


def test_halves_round_up():
    np.testing.assert_array_equal(rounded(np.array([0.5, 1.5, 2.49, 2.5])), [1, 2, 2, 3])
