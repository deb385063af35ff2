import pytest
import torch

from pcqa.ops import ball_query, squared_distances


def naive(centers, points, radius, k):
    groups = []
    for center in centers.tolist():
        squares = [sum((c - x) ** 2 for c, x in zip(center, point, strict=True)) for point in points.tolist()]
        inside = [index for index, square in enumerate(squares) if square < radius**2][:k]
        inside = inside or [squares.index(min(squares))]
        groups.append(inside + [inside[0]] * (k - len(inside)))
    return torch.tensor(groups)


@pytest.mark.parametrize("radius", [0.3, 1.0, 2.0, 100.0])
@pytest.mark.parametrize("k", [1, 8, 100])
def test_equals_a_naive_loop(radius, k, monkeypatch):
    monkeypatch.setattr(squared_distances, "CPU_BLOCK", 500)
    generator = torch.Generator().manual_seed(0)
    # Quarters are exact, and put many points at exactly distance 1 or 2.
    points = torch.randint(-8, 8, (2, 70, 3), generator=generator) / 4
    centers = torch.cat([points[:, :12], torch.full((2, 1, 3), 50.0)], dim=1)
    found = ball_query(centers, points, radius=radius, k=k)
    for b in range(2):
        assert torch.equal(found[b], naive(centers[b], points[b], radius, k))


@pytest.mark.parametrize(("radius", "k", "count"), [(0.0, 1, 4), (float("nan"), 1, 4), (1.0, 0, 4), (1.0, 1, 0)])
def test_refuses_what_has_no_answer(radius, k, count):
    with pytest.raises(ValueError, match=rf"got k={k}, radius={radius} and points of shape \(1, {count}, 3\)"):
        ball_query(torch.zeros(1, 2, 3), torch.zeros(1, count, 3), radius=radius, k=k)
