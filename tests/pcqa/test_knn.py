import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from pcqa.ops import knn, squared_distances


def naive(queries, points, k):
    """Sorts (squared distance, index) pairs, in float64."""
    indices = np.empty((*queries.shape[:2], k), np.int64)
    for b, q in np.ndindex(*queries.shape[:2]):
        distances = ((queries[b, q].double() - points[b].double()) ** 2).sum(-1).tolist()
        indices[b, q] = [index for _, index in sorted(zip(distances, range(len(distances)), strict=True))[:k]]
    return torch.from_numpy(indices)


@pytest.mark.parametrize("k", [1, 7, 60])
@pytest.mark.parametrize("dimension", [1, 3, 16])
def test_equals_a_naive_loop_with_many_ties(k, dimension):
    generator = torch.Generator().manual_seed(k)
    points = torch.randint(0, 3, (2, 60, dimension), generator=generator).float()
    queries = torch.randint(0, 3, (2, 9, dimension), generator=generator).float()
    indices, distances = knn(queries, points, k)
    expected = naive(queries, points, k)
    assert torch.equal(indices, expected)
    gathered = points.gather(1, expected.flatten(1).unsqueeze(-1).expand(-1, -1, dimension))
    differences = queries.unsqueeze(2) - gathered.unflatten(1, (9, k))
    assert torch.equal(distances, differences.square().sum(-1))


def test_equals_a_kd_tree_over_many_blocks(monkeypatch):
    monkeypatch.setattr(squared_distances, "CPU_BLOCK", 1000)
    points = torch.randn(1, 300, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    distances, indices = cKDTree(points[0].numpy()).query(points[0].numpy(), k=5)
    found, squared = knn(points, points, 5)
    np.testing.assert_array_equal(found[0].numpy(), indices)
    np.testing.assert_allclose(squared[0].numpy(), distances**2, rtol=1e-12)


def test_is_exact_far_from_the_origin():
    # |q|^2 - 2 q.x + |x|^2 has an error of about 1000 here.
    points = torch.arange(64.0).reshape(1, 64, 1) + torch.tensor([1e5, -1e5, 1e5])
    indices, distances = knn(points, points, 2)
    assert torch.equal(indices[0, :, 0], torch.arange(64))
    assert torch.equal(distances[0, :, 1], torch.full((64,), 3.0))


def test_half_precision_empty_queries_and_no_gradient():
    points = torch.arange(6.0, requires_grad=True).reshape(1, 6, 1)
    indices, distances = knn(points.half(), points.half(), 3)
    assert indices[0, 2].tolist() == [2, 1, 3]
    assert distances.dtype == torch.float16
    assert not distances.requires_grad
    assert knn(points[:, :0], points, 3)[0].shape == (1, 0, 3)


@pytest.mark.parametrize("k", [0, 7])
def test_refuses_more_neighbours_than_points(k):
    points = torch.zeros(1, 6, 3)
    with pytest.raises(ValueError, match=rf"k={k} and points of shape \(1, 6, 3\)"):
        knn(points, points, k)
