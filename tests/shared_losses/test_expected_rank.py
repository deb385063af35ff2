import numpy as np
import pytest
import torch
from scipy import stats

from shared_losses import expected_midrank, midrank, spearman_loss
from shared_losses.kernels import NormalKernel

GENERATOR = torch.Generator().manual_seed(0)
Y = torch.randn(40, generator=GENERATOR, dtype=torch.float64).mul(2).round().div(2)
STD = torch.rand(40, generator=GENERATOR, dtype=torch.float64) + 0.1


def test_is_the_mean_rank_of_noisy_targets():
    rng = np.random.default_rng(0)
    draws = np.array([stats.rankdata(Y.numpy() + STD.numpy() * rng.standard_normal(40)) for _ in range(4000)])
    error = draws.std(0) / np.sqrt(len(draws))
    assert (np.abs(expected_midrank(Y, STD).numpy() - draws.mean(0)) < 4.5 * error).all()


def test_without_noise_it_is_the_midrank():
    assert torch.equal(expected_midrank(Y, torch.zeros_like(Y)), midrank(Y))
    assert torch.equal(expected_midrank(Y, torch.full_like(Y, torch.nan)), midrank(Y))
    mixed = torch.where(torch.arange(40) < 20, STD, torch.nan)
    assert expected_midrank(Y, mixed).sum().item() == pytest.approx(40 * 41 / 2, abs=1e-9)


def test_one_spread_for_all_is_the_normal_kernel():
    ordered = Y.sort().values
    kernel = NormalKernel(ordered, 0.7 * 2**0.5)
    expected = expected_midrank(ordered, torch.full_like(Y, 0.7))
    torch.testing.assert_close(kernel.centred_ranks() + 20.5, expected, rtol=1e-13, atol=1e-12)


def test_the_loss_correlates_with_expected_ranks():
    x = torch.randn(40, generator=GENERATOR, dtype=torch.float64)
    ranks = expected_midrank(Y, STD)
    hard = spearman_loss(x, Y, target_std=STD, target_ranks="expected", tau=1e-9)
    assert 1 - hard.item() == pytest.approx(stats.pearsonr(stats.rankdata(x), ranks).statistic, abs=1e-12)
    bank = {"bank_scores": x[15:], "bank_targets": Y[15:], "bank_target_std": STD[15:]}
    split = spearman_loss(x[:15], Y[:15], target_std=STD[:15], target_ranks="expected", tau=1e-9, **bank)
    assert split.item() == pytest.approx(hard.item(), abs=1e-13)


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match="needs target_std; got none"):
        spearman_loss(Y, Y, target_ranks="expected")
    with pytest.raises(ValueError, match="needs bank_target_std for the 40 rows"):
        spearman_loss(Y, Y, target_std=STD, target_ranks="expected", bank_scores=Y, bank_targets=Y)
    with pytest.raises(ValueError, match=r"bank_target_std and bank_scores .* got 3 and 40"):
        spearman_loss(
            Y, Y, target_std=STD, target_ranks="expected", bank_scores=Y, bank_targets=Y, bank_target_std=STD[:3]
        )
    with pytest.raises(ValueError, match="target_std must not be negative, got -1"):
        expected_midrank(Y, STD - 2 * (torch.arange(40) == 3) * STD - (torch.arange(40) == 3) * (1 - STD))
    with pytest.raises(ValueError, match="target_ranks must be one of 'mid', 'expected'"):
        spearman_loss(Y, Y, target_ranks="soft")
