import numpy as np
import pytest
import torch
from scipy import stats

from shared_losses import midrank, soft_rank
from shared_losses.kernels import LogisticKernel

KERNELS = ("box", "triangle", "logistic")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_midrank_is_scipys_rankdata(dtype):
    values = torch.randn(500, generator=torch.Generator().manual_seed(0)).mul(3).round().div(2).to(dtype)
    values[:2] = torch.tensor([0.0, -0.0])
    assert midrank(values).tolist() == stats.rankdata(values.double()).tolist()
    assert midrank(torch.tensor([-1e38, 1e38, 1e-45, -1e-45, 0.0])).tolist() == [1, 5, 4, 2, 3]


@pytest.mark.parametrize("kernel", KERNELS)
def test_small_tau_gives_midranks_and_ranks_sum_to_a_constant(kernel):
    x = torch.randn(300, generator=torch.Generator().manual_seed(1), dtype=torch.float64).mul(4).round()
    np.testing.assert_allclose(soft_rank(x, kernel=kernel, tau=1e-6), stats.rankdata(x), rtol=0, atol=1e-9)
    assert soft_rank(x, kernel=kernel, window=0.4).sum().item() == pytest.approx(300 * 301 / 2, rel=1e-13)


@pytest.mark.parametrize("kernel", KERNELS)
def test_ranks_and_gradient_with_a_bank(kernel):
    x = torch.randn(10, generator=torch.Generator().manual_seed(2), dtype=torch.float64).requires_grad_()
    bank = torch.linspace(-2, 2, 15, dtype=torch.float64)
    joined = soft_rank(torch.cat([x, bank]), kernel=kernel, tau=0.8)[:10]
    ranks = soft_rank(x, bank_scores=bank, kernel=kernel, tau=0.8)
    torch.testing.assert_close(ranks, joined, rtol=1e-14, atol=0)
    assert torch.autograd.gradcheck(lambda s: soft_rank(s, bank_scores=bank, kernel=kernel, tau=0.8), x)


@pytest.mark.parametrize("kernel", KERNELS)
def test_equal_scores_share_the_mean_rank(kernel):
    scores = torch.full((4,), 0.5, requires_grad=True)
    ranks = soft_rank(scores, kernel=kernel)
    ranks.square().sum().backward()
    assert ranks.tolist() == [2.5] * 4
    assert scores.grad.tolist() == [0.0] * 4


def test_logistic_chunks_change_nothing(monkeypatch):
    x = torch.randn(50, generator=torch.Generator().manual_seed(3), dtype=torch.float64).requires_grad_()
    weights = torch.linspace(0, 1, 50, dtype=torch.float64)

    def run():
        ranks = soft_rank(x, kernel="logistic")
        return ranks, *torch.autograd.grad(ranks @ weights, x)

    whole = run()
    monkeypatch.setattr(LogisticKernel, "chunk_elements", 130)
    for chunked, expected in zip(run(), whole, strict=True):
        torch.testing.assert_close(chunked, expected, rtol=1e-13, atol=1e-13)
