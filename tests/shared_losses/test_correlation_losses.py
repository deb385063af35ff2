"""Concordance, the Gini correlation and Pearson's correlation with ranks."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from scipy import stats

from shared_losses.functional.concordance import concordance_loss
from shared_losses.functional.gini import gini_loss
from shared_losses.functional.rank_plcc import rank_plcc_loss

LOSSES = {
    "concordance": concordance_loss,
    "concordance_standardised": partial(concordance_loss, location=3, scale=1.5),
    "gini": gini_loss,
    "rank_plcc": rank_plcc_loss,
}


def data(count=30, dtype=torch.float64):
    generator = torch.Generator().manual_seed(count)
    x = torch.randn(count, generator=generator, dtype=torch.float64)
    y = 3 + x + torch.randn(count, generator=generator, dtype=torch.float64)
    return x.to(dtype), (y * 4).round() / 4  # ties


def gradient(loss, x, y, **options):
    x = x.clone().requires_grad_()
    loss(x, y, **options).backward()
    return x.grad


def naive_concordance(x, y):
    x, y = x.numpy(), y.numpy()
    covariance = ((x - x.mean()) * (y - y.mean())).mean()
    return 1 - 2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)


def naive_gini(x, y):
    return 1 - np.cov(x, stats.rankdata(y))[0, 1] / np.cov(x, stats.rankdata(x))[0, 1]


def test_values_are_the_formulas():
    x, y = data()
    x = (8 * x).round() / 8
    assert concordance_loss(x, y).item() == pytest.approx(naive_concordance(x, y), rel=1e-12)
    value = concordance_loss(x, y, location=3, scale=1.5).item()
    assert value == pytest.approx(naive_concordance(x, (y - 3) / 1.5), rel=1e-12)
    assert gini_loss(x, y).item() == pytest.approx(naive_gini(x, y), rel=1e-12)
    expected = 1 - stats.pearsonr(x, stats.rankdata(y)).statistic
    assert rank_plcc_loss(x, y).item() == pytest.approx(expected, rel=1e-12)


def test_concordance_counts_mean_and_spread():
    _, y = data()
    assert concordance_loss(y, y).item() == pytest.approx(0, abs=1e-14)
    assert concordance_loss(y + 1, y).item() > 0.01
    assert concordance_loss(y * 2, y).item() > 0.01
    # Equal scores are no error of the formula: descent moves each towards its target.
    pull = gradient(concordance_loss, torch.full_like(y, 2.0), y)
    assert torch.equal(pull.sign(), -(y - y.mean()).sign())


def test_gini_is_zero_for_the_same_order_and_two_for_the_reverse():
    x, _ = data()
    assert gini_loss(x, x.exp()).item() == pytest.approx(0, abs=1e-14)
    assert gini_loss(x, -x.exp()).item() == pytest.approx(2, rel=1e-14)
    shuffled = x[torch.randperm(30, generator=torch.Generator().manual_seed(0))]
    assert 0 < gini_loss(x, shuffled).item() < 2


@pytest.mark.parametrize("name", ["gini", "rank_plcc"])
def test_blind_to_the_scale_of_scores_and_to_monotone_changes_of_targets(name):
    x, y = data()
    expected = LOSSES[name](x, y).item()
    assert LOSSES[name](7 + 1e3 * x, y).item() == pytest.approx(expected, rel=1e-9)
    assert LOSSES[name](x, y.exp()).item() == pytest.approx(expected, rel=1e-12)
    slope = gradient(LOSSES[name], x, y)
    assert slope.sum().item() == pytest.approx(0, abs=1e-14)
    assert (slope @ x).item() == pytest.approx(0, abs=1e-14)


@pytest.mark.parametrize("name", LOSSES)
def test_bank_gives_the_slice_of_the_large_batch_gradient(name):
    x, y = data()
    whole = gradient(LOSSES[name], x, y)
    for rescale, factor in ((False, 1), (True, 30 / 8)):
        bank = {"bank_scores": x[8:], "bank_targets": y[8:], "rescale": rescale}
        assert LOSSES[name](x[:8], y[:8], **bank).item() == pytest.approx(LOSSES[name](x, y).item(), rel=1e-12)
        part = gradient(LOSSES[name], x[:8], y[:8], **bank)
        torch.testing.assert_close(part, whole[:8] * factor, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", LOSSES)
def test_gradcheck(name):
    x, y = data(9)
    bank = {"bank_scores": torch.tensor([0.31, 1.7]).double(), "bank_targets": torch.tensor([2.0, 3.3]).double()}
    for more in ({}, bank):
        loss = partial(LOSSES[name], **more, rescale=False)
        assert torch.autograd.gradcheck(lambda s, loss=loss: loss(s, y), x.clone().requires_grad_())


@pytest.mark.parametrize("name", LOSSES)
def test_degenerate_batches_are_finite(name, finite_values):
    values = finite_values(LOSSES[name])
    assert all(-1e-12 <= value <= 2 + 1e-12 for value in values)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("x", "y"), [([1.0], [2.0]), ([0.0, 1.0], [3.0, 3.0])])
def test_rows_without_correlation_have_a_zero_gradient(name, x, y):
    scores = torch.tensor(x, requires_grad=True)
    value = LOSSES[name](scores, torch.tensor(y))
    value.backward()
    assert value.item() == 1
    assert scores.grad.tolist() == [0.0] * len(x)


@pytest.mark.parametrize("name", ["gini", "rank_plcc"])
def test_equal_scores_have_a_zero_gradient(name):
    slope = gradient(LOSSES[name], torch.ones(3), torch.tensor([1.0, 2.0, 3.0]))
    assert slope.tolist() == [0.0] * 3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_under_autocast(name, dtype):
    x, y = data(dtype=dtype)
    scores = x.clone().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = LOSSES[name](scores, y.to(dtype), bank_scores=x, bank_targets=y.to(dtype))
    value.backward()
    exact = LOSSES[name](x.double(), y.to(dtype).double(), bank_scores=x.double(), bank_targets=y.to(dtype).double())
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(exact.item(), rel=1e-6)
    assert scores.grad.dtype == dtype
    assert scores.grad.any()


def test_concordance_options_are_checked():
    for bad in ({"scale": 0}, {"scale": -1.0}, {"location": math.inf}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            concordance_loss(*data(5), **bad)


@pytest.mark.parametrize("name", LOSSES)
def test_rows_are_checked(name):
    x, y = data(5)
    with pytest.raises(ValueError, match=r"targets and scores .* got 4 and 5"):
        LOSSES[name](x, y[:4])
    with pytest.raises(ValueError, match="bank_scores came without bank_targets"):
        LOSSES[name](x, y, bank_scores=x)
    with pytest.raises(TypeError, match="scores must be floating"):
        LOSSES[name](torch.arange(5), y)
