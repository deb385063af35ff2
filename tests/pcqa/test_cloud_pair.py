import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.point_set import PointSet
from rankqa_datasets.errors import InputError


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    reference, distorted = (Cloud(rng.random((size, 3))) for size in (40, 25))
    return CloudPair(reference, distorted)


def test_nearest_equals_all_distances(pair):
    found = pair.distorted_points.nearest(pair.reference_points, 4)
    distances = np.linalg.norm(pair.reference.points[:, None] - pair.distorted.points[None], axis=2)
    np.testing.assert_array_equal(found.rows, np.argsort(distances, axis=1)[:, :4])
    np.testing.assert_allclose(found.distances, np.sort(distances, axis=1)[:, :4], rtol=1e-14)


def test_a_search_is_made_once_and_answers_those_for_fewer(pair, monkeypatch):
    searched, queries = pair.distorted_points, pair.reference_points
    wide = searched.nearest(queries, 6)
    monkeypatch.setattr(PointSet, "tree", None)
    np.testing.assert_array_equal(searched.nearest(queries, 2).rows, wide.rows[:, :2])
    np.testing.assert_array_equal(searched.nearest(queries, 6).distances, wide.distances)


def test_a_wider_search_replaces_a_narrow_one(pair):
    searched = pair.reference_points
    narrow = searched.nearest(searched, 1)
    np.testing.assert_array_equal(narrow.rows[:, 0], np.arange(40))
    assert searched.nearest(searched, 3).rows.shape == (40, 3)
    assert searched.nearest(pair.distorted_points, 3).rows.shape == (25, 3)


def test_fewer_points_than_neighbours(pair):
    assert pair.distorted_points.nearest(pair.reference_points, 100).rows.shape == (40, 25)


def test_a_cloud_without_colours_is_named(pair):
    with pytest.raises(InputError, match=r"cloud: pcqm compares colours, and the cloud has none"):
        pair.require_colors("pcqm")
