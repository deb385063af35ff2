import pytest
import torch
from scipy.spatial.distance import cdist

from pcqa.ops import farthest_points


def naive(points, count, start):
    distances = cdist(points, points, "sqeuclidean")
    picks = [start]
    while len(picks) < count:
        candidates = [(-min(distances[i, picks]), i) for i in range(len(points)) if i not in picks]
        picks.append(min(candidates)[1])
    return picks


@pytest.mark.parametrize("start", [0, 11])
def test_equals_a_naive_loop_with_ties_and_equal_points(start):
    points = torch.randint(0, 3, (3, 40, 3), generator=torch.Generator().manual_seed(0)).float()
    picks = farthest_points(points, 40, start=start)
    for b in range(3):
        assert picks[b].tolist() == naive(points[b].double().numpy(), 40, start)


def test_starts_at_opposite_corners_of_a_cube():
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)
    assert farthest_points(corners[None], 2)[0].tolist() == [0, 7]


def test_covers_about_as_well_as_theory_allows():
    # A greedy cover is at most twice as wide as the best one; on random points it is far better than random picks.
    points = torch.randn(1, 2000, 3, generator=torch.Generator().manual_seed(0))
    picks = farthest_points(points, 50)
    picked = torch.cdist(points[0], points[0, picks[0]]).min(1).values.max()
    first = torch.cdist(points[0], points[0, :50]).min(1).values.max()
    assert picked < 0.7 * first


@pytest.mark.parametrize(("count", "start"), [(0, 0), (5, 0), (1, 4), (1, -1)])
def test_refuses_what_does_not_fit(count, start):
    with pytest.raises(ValueError, match=rf"got count={count}, start={start} and points of shape \(2, 4, 3\)"):
        farthest_points(torch.zeros(2, 4, 3), count, start=start)
