import numpy as np
import pytest
import torch
from scipy import stats

from shared_losses import midrank, soft_rank
from shared_losses.kernels import KERNELS as NAMES

KERNELS = ("box", "triangle", "laplace", "logistic", "normal")


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


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("scale", [{"tau": 0.8}, {"nearest": 3}])
def test_dense_path_is_the_same_and_can_be_differentiated_twice(kernel, scale):
    x = torch.randn(10, generator=torch.Generator().manual_seed(4), dtype=torch.float64).requires_grad_()
    bank = torch.linspace(-2, 2, 15, dtype=torch.float64)
    weights = torch.linspace(0, 1, 10, dtype=torch.float64)

    def run(path):
        ranks = soft_rank(x, bank_scores=bank, kernel=kernel, path=path, **scale)
        return ranks, *torch.autograd.grad(ranks @ weights, x, create_graph=path == "dense")

    for fast, dense in zip(run("auto"), run("dense"), strict=True):
        torch.testing.assert_close(fast, dense, rtol=1e-12, atol=1e-12)
    if "tau" in scale:  # else the derivative of the frozen coordinates is meant, which differences do not see
        assert torch.autograd.gradgradcheck(
            lambda s: soft_rank(s, bank_scores=bank, kernel=kernel, path="dense", **scale).square(), x
        )


@pytest.mark.parametrize("kernel", ["logistic", "normal"])
def test_chunks_and_cells_change_nothing(monkeypatch, kernel):
    x = torch.randn(300, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    x[:40] = x[40:80].round()
    x[90] = 1e9
    x.requires_grad_()
    weights = torch.linspace(0, 1, 300, dtype=torch.float64)

    def run(**options):
        ranks = soft_rank(x, kernel=kernel, **options)
        return ranks, *torch.autograd.grad(ranks @ weights, x)

    for options in ({}, {"tau": 1e-6}, {"tau": 0.01}, {"tau": 3.0}, {"tau": 1e8}, {"nearest": 7}):
        monkeypatch.undo()
        expected = run(**options)
        monkeypatch.setattr(NAMES[kernel], "chunk_elements", 1300)
        for chunked, whole in zip(run(**options), expected, strict=True):
            torch.testing.assert_close(chunked, whole, rtol=1e-13, atol=1e-13)
        monkeypatch.setattr(NAMES[kernel], "pairwise_rows", 100)
        for cells, whole in zip(run(**options), expected, strict=True):
            size = whole.abs().max().item()
            torch.testing.assert_close(cells, whole, rtol=0, atol=1e-11 * size)
