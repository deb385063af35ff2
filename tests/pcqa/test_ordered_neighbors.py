import numpy as np
import pytest
import torch

import pcqa.metrics.point_set
import pcqa.ops.ordered_neighbors
from pcqa.cloud import Cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.point_pca2 import point_pca2
from pcqa.metrics.point_set import PointSet
from pcqa.metrics.point_ssim import point_ssim
from pcqa.metrics.point_to_distribution import point_to_distribution
from pcqa.metrics.tied_neighbors import nearest_lowest_row
from pcqa.ops.ordered_neighbors import ordered_neighbors

rng = np.random.default_rng(0)
SPHERE = rng.standard_normal((4000, 3))
SPHERE /= np.linalg.norm(SPHERE, axis=1, keepdims=True)
VOXELS = rng.permutation(np.unique(np.round(SPHERE * 40), axis=0))
CLOUDS = {
    "surface": (SPHERE, SPHERE),
    "voxels": (VOXELS, np.vstack([VOXELS, VOXELS[:300] + 0.5])),
    "queries far away": (VOXELS, np.vstack([VOXELS[:400] * 5, VOXELS[:400]])),
    "many points at two places": (np.vstack([np.zeros((300, 3)), np.ones((100, 3)), rng.random((3000, 3))]), SPHERE),
    "one place": (np.zeros((3000, 3)), SPHERE[:300]),
    "a line": (np.outer(np.arange(3000.0), [1, 0, 0]), SPHERE * 1000),
    "tiny": (SPHERE * 1e-30, SPHERE[:900] * 1e-30),
    "huge": (SPHERE * 1e90, SPHERE[:900] * 1e90),
    "few": (SPHERE[:50], SPHERE),
}


@pytest.mark.parametrize("name", CLOUDS)
@pytest.mark.parametrize("k", [1, 12, 40])
def test_rows_and_distances_are_those_of_the_tree(name, k, monkeypatch):
    # Several chunks.
    monkeypatch.setattr(pcqa.ops.ordered_neighbors, "CPU_BUDGET", 1 << 15)
    points, queries = CLOUDS[name]
    rows, squares = ordered_neighbors(torch.from_numpy(queries), torch.from_numpy(points), k)
    expected = nearest_lowest_row(PointSet(points), queries, k)
    np.testing.assert_array_equal(rows.numpy(), expected.rows)
    np.testing.assert_allclose(squares.sqrt().numpy(), expected.distances, rtol=4e-16)


def test_no_query():
    rows, squares = ordered_neighbors(torch.zeros(0, 3).double(), torch.from_numpy(SPHERE), 3)
    assert rows.shape == squares.shape == (0, 3)


def test_metrics_searched_by_cells_are_those_searched_by_a_tree(monkeypatch):
    def values():
        colors = np.abs(VOXELS).astype(np.float32) / 40
        moved = np.round(VOXELS * 1.02 + 0.3)
        pair = CloudPair(Cloud(VOXELS.astype(np.float32), colors), Cloud(moved.astype(np.float32), colors**2))
        return point_to_distribution(pair), point_ssim(pair), point_pca2(pair)

    expected, calls = values(), []
    monkeypatch.setattr(pcqa.metrics.point_set, "LEAST_FOR_GPU", 1)
    monkeypatch.setattr(pcqa.metrics.point_set, "search_device", lambda: calls.append(1) or torch.device("cpu"))
    assert values() == expected
    assert calls
