import math

import pytest
import torch

from shared_losses.functional.regression import mae_loss, mse_loss, smooth_l1_loss


def data(count=40, dtype=torch.float64):
    generator = torch.Generator().manual_seed(count)
    x = torch.randn(count, generator=generator, dtype=torch.float64)
    return x.to(dtype), (50 + 10 * (x + torch.randn(count, generator=generator, dtype=torch.float64))).to(dtype)


@pytest.mark.parametrize("beta", [0.1, 1, 2.5])
def test_value_and_gradient_are_torchs(beta):
    x, y = data()
    x.requires_grad_()
    value = smooth_l1_loss(x, y, beta=beta)
    z = (y - y.mean()) / y.std(correction=0)
    expected = torch.nn.functional.smooth_l1_loss(x, z, beta=float(beta))
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    torch.testing.assert_close(*(torch.autograd.grad(loss, x)[0] for loss in (value, expected)), rtol=1e-12, atol=1e-15)
    assert torch.autograd.gradcheck(lambda s: smooth_l1_loss(s, y, beta=beta), x)


def test_limits_are_half_of_mse_and_mae():
    x, y = data()
    assert 1e6 * smooth_l1_loss(x, y, beta=1e6).item() == pytest.approx(mse_loss(x, y).item() / 2, rel=1e-9)
    assert smooth_l1_loss(x, y, beta=1e-300).item() == pytest.approx(mae_loss(x, y).item(), rel=1e-12)


def test_the_bank_takes_part_in_location_and_scale_only():
    x, y = data()
    value = smooth_l1_loss(x[:5], y[:5], bank_scores=x[5:], bank_targets=y[5:])
    options = {"location": y.mean().item(), "scale": y.std(correction=0).item()}
    assert value.item() == pytest.approx(smooth_l1_loss(x[:5], y[:5], **options).item(), rel=1e-12)


@pytest.mark.parametrize("loss", [mse_loss, mae_loss, smooth_l1_loss])
@pytest.mark.parametrize("size", [0, 1e-30, 1e30])
@pytest.mark.parametrize("count", [1, 6])
def test_extreme_scores_are_finite(loss, size, count):
    x, y = data(count, torch.float32)
    scores = (x * size).requires_grad_()
    value = loss(scores, y, scale=1)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(scores.grad).all()
    assert loss(x.double() * 1e99, y.double(), scale=1).isfinite()


def test_a_value_beyond_float32_is_its_largest_and_keeps_its_gradient():
    scores = torch.tensor([1e30, 0.0], requires_grad=True)
    value = mse_loss(scores, torch.tensor([0.0, 1.0]), location=0, scale=1)
    value.backward()
    assert value.item() == torch.finfo(torch.float32).max
    assert scores.grad.tolist() == pytest.approx([1e30, -1])


def test_a_spread_that_underflows_is_none():
    targets = torch.tensor([1e-170, 2e-170], dtype=torch.float64)
    with pytest.raises(ValueError, match="no spread"):
        mse_loss(targets, targets)
    with pytest.raises(ValueError, match="standardised targets must be finite"):
        mse_loss(targets, torch.ones(2).double(), location=0, scale=1e-150)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_under_autocast(dtype):
    x, y = data(dtype=dtype)
    scores = x.clone().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = smooth_l1_loss(scores, y)
    value.backward()
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(smooth_l1_loss(x.double(), y.double()).item(), rel=1e-6)
    assert torch.isfinite(scores.grad).all()


@pytest.mark.parametrize("bad", [{"beta": 0}, {"beta": math.inf}, {"scale": -1}, {"location": math.nan}])
def test_options_are_checked(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        smooth_l1_loss(*data(), **bad)
