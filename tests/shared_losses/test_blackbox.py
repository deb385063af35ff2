import math

import numpy as np
import pytest
import torch
from scipy import stats

from shared_losses.functional.blackbox import UNITS, blackbox_loss
from shared_losses.functional.spearman import spearman_loss


def data(count=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, generator=generator, dtype=torch.float64)
    return x, 50 + 10 * (x + torch.randn(count, generator=generator, dtype=torch.float64))


def naive_gradient(x, y, size):
    """The published rule on descending ranks over N, -(rk(x) - rk(x + lambda g)) / lambda, g by autograd."""
    x, count = np.asarray(x), len(x)

    def descending(values):
        return stats.rankdata(-values) / count

    ranks = torch.from_numpy(descending(x)).requires_grad_()
    t = torch.from_numpy(stats.rankdata(-np.asarray(y)))
    loss = 1 - torch.corrcoef(torch.stack([ranks, t]))[0, 1]
    (g,) = torch.autograd.grad(loss, ranks)
    return -(descending(x) - descending(x + size * g.numpy())) / size


@pytest.mark.parametrize("tied", [False, True])
def test_value_is_one_minus_scipys_spearman(tied):
    x, y = data()
    if tied:
        x, y = x.round(), (y / 10).round()
    assert blackbox_loss(x, y).item() == pytest.approx(1 - stats.spearmanr(x, y).statistic, abs=1e-14)


@pytest.mark.parametrize("size", [0.1, 1, 10, 1000])
@pytest.mark.parametrize("tied", [False, True])
def test_gradient_is_the_published_rule(size, tied):
    x, y = data()
    x = (x * 2).round() if tied else x
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(blackbox_loss(x, y, interpolation=size, unit="score"), x)
    np.testing.assert_allclose(gradient.numpy(), naive_gradient(x.detach(), y, size), rtol=1e-9, atol=1e-15)
    relative = size / x.std(correction=0).item()
    (same,) = torch.autograd.grad(blackbox_loss(x, y, interpolation=relative), x)
    torch.testing.assert_close(same, gradient)


def test_a_small_step_along_the_gradient_lowers_the_loss():
    for seed in range(5):
        x, y = data(64, seed)
        x.requires_grad_()
        value = blackbox_loss(x, y)
        (gradient,) = torch.autograd.grad(value, x)
        assert blackbox_loss((x - 0.05 * gradient / gradient.abs().max()).detach(), y) < value
        smooth = torch.autograd.grad(spearman_loss(x, y), x)[0]
        assert torch.cosine_similarity(gradient, smooth, dim=0) > 0.6


def test_deviations_make_the_loss_blind_to_shift_and_scale():
    x, y = data()
    x.requires_grad_()
    scaled = (x.detach() * 1024 + 4096).requires_grad_()
    blackbox_loss(x, y).backward()
    blackbox_loss(scaled, y).backward()
    torch.testing.assert_close(scaled.grad * 1024, x.grad)


def test_a_weight_multiplies_the_gradient():
    x, y = data()
    x.requires_grad_()
    (one,) = torch.autograd.grad(blackbox_loss(x, y), x)
    (many,) = torch.autograd.grad(65536 * blackbox_loss(x, y), x)
    torch.testing.assert_close(many, one * 65536)


def test_perfect_ranks_and_tiny_steps_have_no_gradient():
    x, y = data()
    x.requires_grad_()
    for targets, options in ((x.detach() ** 3, {}), (y, {"interpolation": 1e-9})):
        (gradient,) = torch.autograd.grad(blackbox_loss(x, targets, **options), x)
        assert not gradient.any()


@pytest.mark.parametrize("unit", UNITS)
def test_bank_gives_the_slice_of_the_large_batch_gradient(unit):
    x, y = data(60)
    whole = x.clone().requires_grad_()
    blackbox_loss(whole, y, unit=unit).backward()
    for rescale, factor in ((True, 60 / 8), (False, 1)):
        part, bank = x[:8].clone().requires_grad_(), x[8:].clone().requires_grad_()
        value = blackbox_loss(part, y[:8], bank_scores=bank, bank_targets=y[8:], unit=unit, rescale=rescale)
        value.backward()
        assert value.item() == pytest.approx(blackbox_loss(x, y).item(), rel=1e-12)
        torch.testing.assert_close(part.grad, whole.grad[:8] * factor, rtol=1e-12, atol=1e-15)
        assert bank.grad is None


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("interpolation", [1e-300, 10, 1e300])
@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([1.0], [2.0]),
        ([2.0, 2.0, 2.0], [0.0, 1.0, 2.0]),
        ([1.0, 0.0], [3.0, 3.0]),
        ([0.0, 2e-30, 1e-30], [0.0, 1.0, 2.0]),
        ([1e100, 0.0, -1e100], [0.0, 1.0, 2.0]),
        ([1.0, 1.0, 2.0, 2.0, 1.0], [1.0, 2.0, 2.0, 1.0, 1.0]),
    ],
)
def test_degenerate_rows_are_finite(unit, interpolation, x, y):
    scores = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    value = blackbox_loss(scores, torch.tensor(y), unit=unit, interpolation=interpolation)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(scores.grad).all()
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert value.item() == 1
        assert not scores.grad.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_under_autocast(dtype):
    x, y = (values.to(dtype) for values in data())
    scores = x.clone().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = blackbox_loss(scores, y)
    value.backward()
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(blackbox_loss(x.double(), y.double()).item(), rel=1e-6)
    assert scores.grad.dtype == dtype
    assert torch.isfinite(scores.grad).all()
    assert scores.grad.any()


@pytest.mark.parametrize("bad", [{"interpolation": 0}, {"interpolation": math.nan}, {"unit": "range"}])
def test_options_are_checked(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        blackbox_loss(*data(), **bad)
