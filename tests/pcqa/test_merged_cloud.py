import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.metrics.merged_cloud import merged_cloud


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_equals_a_loop_over_the_file(scale):
    rng = np.random.default_rng(0)
    points = (rng.integers(-3, 4, (400, 3)) * np.float32(scale)).astype(np.float32)
    colors = (rng.integers(0, 256, (400, 3)) / 255).astype(np.float32)
    normals = rng.normal(size=(400, 3)).astype(np.float32)
    places: dict[tuple, list[int]] = {}
    for row, point in enumerate(points.tolist()):
        places.setdefault(tuple(point), []).append(row)
    merged = merged_cloud(Cloud(points, colors, normals))
    expected = sorted(places)
    assert merged.points.tolist() == [list(place) for place in expected]
    assert merged.counts.tolist() == [len(places[place]) for place in expected]
    first = [places[place][0] for place in expected]
    assert merged.first_rows.tolist() == first
    np.testing.assert_array_equal(merged.normals, normals[first])
    whole = np.rint(colors * 255).astype(int)
    np.testing.assert_array_equal(merged.first_colors, whole[first])
    np.testing.assert_array_equal(
        merged.colors, [whole[places[place]].sum(axis=0) // len(places[place]) for place in expected]
    )


def test_minus_zero_is_zero_and_attributes_may_be_missing():
    merged = merged_cloud(Cloud(np.float32([[-0.0, 0.5, 0], [0, 0.5, -0.0]])))
    assert merged.counts.tolist() == [2]
    assert merged.colors is merged.first_colors is merged.normals is None


def test_float64_points_that_round_to_one_float32_are_merged():
    assert len(merged_cloud(Cloud(np.array([[1.0, 0, 0], [1.0 + 1e-12, 0, 0]])))) == 1
