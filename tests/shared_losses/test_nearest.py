"""Bandwidth in ranks."""

import numpy as np
import pytest
import torch
from scipy import stats

from shared_losses import spearman_loss
from shared_losses.kernels import KERNELS


def ranked(count, *, seed, tied=False):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, generator=generator, dtype=torch.float64)
    y = (2 * x + torch.randn(count, generator=generator, dtype=torch.float64)).round()
    return (x * 3).round() / 3 if tied else x, y


def run(x, y, **options):
    scores = x.clone().requires_grad_()
    value = spearman_loss(scores, y, **options)
    value.backward()
    return value.item(), scores.grad


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("nearest", [1, 5, 40])
@pytest.mark.parametrize("tied", [False, True])
def test_value_and_signs_survive_any_monotone_map(kernel, nearest, tied):
    x, y = ranked(120, seed=0, tied=tied)
    value, gradient = run(x, y, kernel=kernel, nearest=nearest)
    for change in (torch.exp, lambda v: v**3, torch.sigmoid, lambda v: 7 * v - 2):
        other_value, other = run(change(x), y, kernel=kernel, nearest=nearest)
        assert other_value == pytest.approx(value, abs=1e-13)
        sure = gradient.abs() > 1e-12 * gradient.abs().max()
        assert torch.equal(other.sign()[sure], gradient.sign()[sure])


@pytest.mark.parametrize("nearest", [1, 4, 11])
def test_box_gradient_is_the_difference_of_scipys_coefficient_between_the_neighbours(nearest):
    x, y = ranked(80, seed=1)
    _, gradient = run(x, y, nearest=nearest, normalizer="constant")
    ordered, order = x.sort()
    for place in range(80):
        low, high = max(place - nearest, 0), min(place + nearest, 79)
        rho = []
        for target, outward in ((high, 1), (low, -1)):
            moved = x.clone()
            moved[order[place]] = ordered[target] + outward * 1e-9 * (target != place)
            rho.append(stats.spearmanr(moved, y).statistic)
        expected = -(rho[0] - rho[1]) / (ordered[high] - ordered[low]).item()
        assert gradient[order[place]].item() == pytest.approx(expected, abs=1e-12)


def test_ties_wider_than_the_window_reach_the_next_value():
    x = torch.tensor([0.0] * 6 + [1.0] * 6 + [2.0] * 6, dtype=torch.float64)
    y = torch.arange(18.0)
    value, gradient = run(x, y, nearest=2)
    assert np.isfinite(value)
    assert torch.isfinite(gradient).all()
    assert gradient.any()


def test_outliers_and_tiny_scales_stay_finite():
    x, y = ranked(50, seed=2)
    x[3] = 1e90
    for scale in (1.0, 1e-30, 1e-90):
        _, gradient = run(x * scale, y, nearest=5)
        assert torch.isfinite(gradient).all()


def test_descending_by_ranks_orders_heavy_tailed_scores():
    _, y = ranked(60, seed=3)
    scores = torch.randn(60, generator=torch.Generator().manual_seed(1)).mul(2).exp().requires_grad_()
    optimizer = torch.optim.Adam([scores], lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        spearman_loss(scores, y, nearest=10).backward()
        optimizer.step()
    assert stats.spearmanr(scores.detach(), y).statistic > 0.96


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"nearest": 0}, "nearest must be a whole number of ranks, at least 1, got 0"),
        ({"nearest": 3, "tau": 0.1}, r"tau and nearest exclude each other, got tau=0\.1 and nearest=3"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        spearman_loss(torch.arange(3.0), torch.arange(3.0), **options)
