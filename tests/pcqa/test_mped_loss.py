import pytest
import torch

from pcqa.metrics.mped_loss import mped_loss


def clouds(batch=2, sizes=(14, 17), dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(batch, size, 3, generator=generator, dtype=dtype) for size in sizes)


def naive(points, targets):
    total = 0.0
    for centers, others in ((points, targets), (targets, points)):
        for own_cloud, other_cloud in zip(centers, others, strict=True):
            for center in own_cloud:
                for k in (10, 5, 1):
                    energies = []
                    for cloud in (own_cloud, other_cloud):
                        squares = sorted(float(((point - center) ** 2).sum()) for point in cloud)[:k]
                        energies.append(sum(s if k == 1 else s / (s + 1e-10) ** 0.5 for s in squares))
                    total += abs(energies[0] - energies[1]) / (centers.shape[0] * centers.shape[1])
    return total


def test_equals_loops_over_neighbours():
    points, targets = clouds()
    assert float(mped_loss(points, targets)) == pytest.approx(naive(points, targets), rel=1e-12)


def test_symmetric_and_without_order():
    points, targets = clouds()
    loss = mped_loss(points, targets)
    torch.testing.assert_close(mped_loss(targets, points), loss)
    torch.testing.assert_close(mped_loss(points.flip(1), targets[:, torch.randperm(17)]), loss)
    torch.testing.assert_close(mped_loss(points + 8, targets + 8), loss)


def test_equal_clouds_have_loss_and_gradient_0():
    points, _ = clouds()
    points.requires_grad_()
    loss = mped_loss(points, points.detach())
    loss.backward()
    assert loss.item() == 0
    assert points.grad is not None
    assert points.grad.count_nonzero() == 0
    assert mped_loss(points, points.flip(1)).item() == pytest.approx(0, abs=1e-12)


def test_gradient_of_both_clouds():
    points, targets = (cloud.requires_grad_() for cloud in clouds(batch=1, sizes=(11, 12)))
    assert torch.autograd.gradcheck(mped_loss, (points, targets))


def test_repeated_points_have_a_finite_gradient():
    points = torch.zeros(1, 20, 3, requires_grad=True)
    mped_loss(points, clouds(batch=1, dtype=torch.float32)[0]).backward()
    assert points.grad is not None
    assert torch.isfinite(points.grad).all()


def test_descent_moves_points_to_the_target():
    points, targets = clouds(batch=1, sizes=(40, 40))
    points.requires_grad_()
    before = mped_loss(points, targets).item()
    optimizer = torch.optim.Adam([points], lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        mped_loss(points, targets).backward()
        optimizer.step()
    assert mped_loss(points, targets).item() < 0.4 * before


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_searched_in_float32(dtype):
    points, targets = clouds(dtype=torch.float32)
    points, targets = points.to(dtype), targets.to(dtype)
    assert mped_loss(points, targets).dtype == torch.float32
    torch.testing.assert_close(mped_loss(points, targets), mped_loss(points.float(), targets.float()))


def test_refuses_small_clouds_and_no_clouds():
    points, targets = clouds()
    for pair in ((points[:, :9], targets), (points, targets[:, :9]), (points[:0], targets[:0])):
        with pytest.raises(ValueError, match=r"mped_loss needs clouds of at least 10 points in batches of one size"):
            mped_loss(*pair)
