import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from shared_losses import SpearmanLoss, spearman_loss
from shared_losses.kernels import KERNELS as KERNEL_TYPES

KERNELS = ("box", "triangle", "laplace", "logistic", "normal")


def naive_odd(kernel: str, u: torch.Tensor) -> torch.Tensor:
    """K(u) - 1/2. The half is left out because adding it would round away tiny u, and the reference must be the exact
    side.
    """
    if kernel == "box":
        return (u / 2).clamp(-0.5, 0.5)
    if kernel == "triangle":
        # Without clamp: what its gradient is at the bound, and so at tied scores, depends on the release of torch.
        return torch.where(u.abs() < 1, u - u * u.abs() / 2, u.sign() / 2)
    if kernel == "laplace":
        # By branch: the derivative at u = 0 is 1/2 from either.
        below = torch.expm1(torch.where(u < 0, u, 0)) / 2
        return torch.where(u < 0, below, -torch.expm1(-torch.where(u < 0, 0, u)) / 2)
    if kernel == "normal":
        return torch.erf(u / 2**0.5) / 2
    return torch.tanh(u / 2) / 2


def naive_loss(x, y, *, kernel, tau, normalizer="soft", rows="all", batch=None):
    """The definition: all pairs, autograd, float64."""
    count = len(x)
    batch = count if batch is None or rows == "all" else batch
    r = naive_odd(kernel, (x[:, None] - x[None]) / tau).sum(1)
    t = torch.as_tensor(stats.rankdata(y.numpy())) - (count + 1) / 2
    if normalizer == "soft":
        r, t = r[:batch], t[:batch]
        return 1 - (r * t).sum() / (r.square().sum() * t.square().sum()).sqrt()
    norm = ((count**3 - count) / 12 * t.square().sum()).sqrt() * batch / count
    return 1 - (r[:batch] * t[:batch]).sum() / norm


def correlated(count, *, seed, levels=None, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, generator=generator, dtype=torch.float64)
    y = x + 0.6 * torch.randn(count, generator=generator, dtype=torch.float64)
    return x.to(dtype), (y * levels).round() / levels if levels else y


@pytest.mark.parametrize("levels", [None, 5, 1])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("tied_scores", [False, True])
def test_small_tau_is_scipys_coefficient(kernel, levels, tied_scores):
    x, y = correlated(700, seed=1, levels=levels)
    if tied_scores:
        x = (x * 4).round() / 4
    value = spearman_loss(x, y, kernel=kernel, tau=1e-9)
    assert 1 - value.item() == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


@pytest.mark.parametrize("levels", [None, 3])
def test_box_gradient_is_the_central_difference_of_scipys_coefficient(levels):
    x, y = correlated(150, seed=2, levels=levels)
    tau = 0.234567
    scores = x.clone().requires_grad_()
    spearman_loss(scores, y, tau=tau, normalizer="constant").backward()
    moved = x.numpy()[None] + tau * np.concatenate([np.eye(150), -np.eye(150)])
    rho = np.array([stats.spearmanr(row, y).statistic for row in moved])
    np.testing.assert_allclose(scores.grad, -(rho[:150] - rho[150:]) / (2 * tau), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("normalizer", ["soft", "constant"])
@pytest.mark.parametrize("rows", ["all", "batch"])
def test_gradcheck(kernel, normalizer, rows):
    # Far from the kernels' edges: no two scores are tau apart.
    x, y = correlated(12, seed=3)
    x = x.requires_grad_()
    bank = {"bank_scores": torch.linspace(-1, 1, 7).double(), "bank_targets": torch.arange(7).double()}
    options = {"kernel": kernel, "tau": 0.7, "normalizer": normalizer, "rows": rows, "rescale": False}
    assert torch.autograd.gradcheck(lambda s: spearman_loss(s, y, **bank, **options), x)
    dense = {"path": "dense", **options}
    torch.testing.assert_close(spearman_loss(x, y, **bank, **dense), spearman_loss(x, y, **bank, **options))
    assert torch.autograd.gradcheck(lambda s: spearman_loss(s, y, **bank, **dense), x)
    assert torch.autograd.gradgradcheck(lambda s: spearman_loss(s, y, **bank, **dense), x)


@st.composite
def problems(draw):
    batch, bank = draw(st.integers(2, 30)), draw(st.integers(0, 40))
    count = batch + bank
    levels = draw(st.sampled_from([2, 5, 1000]))
    score = st.integers(-levels, levels)
    x = draw(st.lists(score, min_size=count, max_size=count).filter(lambda v: len(set(v)) > 1))
    y = draw(st.lists(st.integers(0, 6), min_size=count, max_size=count).filter(lambda v: len(set(v)) > 1))
    scale = draw(st.sampled_from([1.0, 1e-30, 1e30, 0.37]))
    dtype = draw(st.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.float16]))
    outlier = draw(st.sampled_from([1.0, 1e5]))
    x = torch.tensor(x, dtype=torch.float64)
    if dtype == torch.float16:
        scale, outlier = min(max(scale, 1e-3), 1.0), 1.0  # its range
    x[0] = x[0] * outlier
    x = (x * scale).to(dtype)
    # Off the grid of scores, where the box gradient jumps.
    tau = draw(st.sampled_from([1e-3, 0.31, 2.3717, 41.37, 1e5 * torch.pi])) * scale * levels / 5
    return x, torch.tensor(y, dtype=torch.float32), batch, tau


def on_an_edge(x, tau):
    distance = (x[:, None] - x[None]).abs() / tau
    return bool(((distance - 1).abs() < 1e-7).any())


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(problems(), st.sampled_from(KERNELS), st.sampled_from(["soft", "constant"]), st.sampled_from(["all", "batch"]))
def test_fast_path_equals_all_pairs(problem, kernel, normalizer, rows):
    check_against_all_pairs(problem, kernel, normalizer, rows)


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(problems(), st.sampled_from(["logistic", "normal"]), st.sampled_from(["soft", "constant"]))
def test_cells_equal_all_pairs(problem, kernel, normalizer):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KERNEL_TYPES[kernel], "pairwise_rows", 0)
        check_against_all_pairs(problem, kernel, normalizer, "all")


def check_against_all_pairs(problem, kernel, normalizer, rows):
    x, y, batch, tau = problem
    if x.unique().numel() < 2 or on_an_edge(x.double(), tau):
        return
    scores = x[:batch].clone().requires_grad_()
    options = {"kernel": kernel, "tau": tau, "normalizer": normalizer, "rows": rows}
    value = spearman_loss(scores, y[:batch], bank_scores=x[batch:], bank_targets=y[batch:], rescale=False, **options)
    value.backward()
    dense = x.double().requires_grad_()
    expected = naive_loss(dense, y, batch=batch, **options)
    if not torch.isfinite(expected):  # no spread among the rows that are summed
        assert value.item() == 1
        assert not scores.grad.any()
        return
    (gradient,) = torch.autograd.grad(expected, dense)
    own = 1e-9 if x.dtype == torch.float64 else float(torch.finfo(x.dtype).eps)
    assert value.item() == pytest.approx(expected.item(), abs=max(1e-9, 1e-9 if x.dtype == torch.float64 else 2e-7))
    assert scores.grad.dtype == x.dtype
    size = gradient.abs().max().item()
    limit = torch.finfo(x.dtype).max
    expected_gradient = gradient[:batch].clamp(-limit, limit)
    # Where the exact gradient is zero, both sides hold rounding noise: terms of the size of 1 / tau, or of one over the
    # spread of the scores where the kernel covers them all, cancel.
    noise = 1e-12 * len(x) / tau + 1e-13 / float(x.detach().double().max() - x.detach().double().min())
    noise += torch.finfo(x.dtype).tiny  # below it a dtype has fewer digits
    assert torch.allclose(scores.grad.double(), expected_gradient, rtol=2 * own, atol=own * min(size, limit) + noise)


@pytest.mark.parametrize("kernel", KERNELS)
def test_bank_of_the_rest_gives_the_slice_of_the_large_batch_gradient(kernel):
    x, y = correlated(200, seed=4, levels=10)
    whole = x.clone().requires_grad_()
    spearman_loss(whole, y, kernel=kernel).backward()
    part = x[:16].clone().requires_grad_()
    options = {"kernel": kernel, "bank_scores": x[16:], "bank_targets": y[16:]}
    value = spearman_loss(part, y[:16], **options)
    value.backward()
    torch.testing.assert_close(part.grad, whole.grad[:16] * 200 / 16, rtol=1e-12, atol=1e-15)
    assert value.item() == pytest.approx(spearman_loss(x, y, kernel=kernel).item(), abs=1e-14)
    plain = x[:16].clone().requires_grad_()
    spearman_loss(plain, y[:16], rescale=False, **options).backward()
    torch.testing.assert_close(plain.grad, whole.grad[:16], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("kernel", KERNELS)
def test_invariances(kernel):
    x, y = correlated(90, seed=5, levels=4)

    def run(scores, targets):
        scores = scores.clone().requires_grad_()
        value = spearman_loss(scores, targets, kernel=kernel)
        value.backward()
        return value.item(), scores.grad

    value, gradient = run(x, y)
    order = torch.randperm(90, generator=torch.Generator().manual_seed(0))
    for scores, targets, expected, factor in (
        (x[order], y[order], gradient[order], 1),
        (x + 17, y, gradient, 1),
        (x * 1000, y, gradient, 1e-3),
        (-x, -y, gradient, -1),
        (x, y.exp(), gradient, 1),
    ):
        other_value, other_gradient = run(scores, targets)
        assert other_value == pytest.approx(value, abs=1e-12)
        torch.testing.assert_close(other_gradient, expected * factor, rtol=1e-9, atol=1e-12)
    assert run(-x, y)[0] == pytest.approx(2 - value, abs=1e-12)


def test_huge_tau_is_pearson_against_target_ranks():
    x, y = correlated(50, seed=6)
    expected = stats.pearsonr(x, stats.rankdata(y)).statistic
    for kernel in KERNELS:
        assert 1 - spearman_loss(x, y, kernel=kernel, tau=1e9).item() == pytest.approx(expected, abs=1e-9)


def test_half_precision_under_autocast_equals_the_rounded_scores_in_float64():
    for dtype in (torch.float16, torch.bfloat16):
        x, y = correlated(64, seed=7, dtype=dtype)
        scores = x.clone().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = spearman_loss(scores, y)
        value.backward()
        exact = x.double().requires_grad_()
        expected = spearman_loss(exact, y)
        expected.backward()
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(expected.item(), abs=1e-7)
        assert scores.grad.dtype == dtype
        torch.testing.assert_close(scores.grad, exact.grad.to(dtype), rtol=1e-2, atol=1e-5)


def test_half_precision_gradient_saturates_rather_than_overflow():
    scores = torch.tensor([0.0, 6e-8, 1e-6, 2e-6], dtype=torch.float16, requires_grad=True)
    spearman_loss(scores, torch.tensor([1.0, 3.0, 2.0, 0.0])).backward()
    assert torch.isfinite(scores.grad).all()
    assert scores.grad.abs().max() == torch.finfo(torch.float16).max


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([0.3], [1.0]),
        ([0.3, 0.3, 0.3], [1.0, 2.0, 3.0]),
        ([0.1, 0.2, 0.3], [2.0, 2.0, 2.0]),
        ([0.0, 0.0], [1.0, 1.0]),
    ],
)
def test_rows_without_correlation_give_one_and_a_zero_gradient(kernel, x, y):
    scores = torch.tensor(x, requires_grad=True)
    value = spearman_loss(scores, torch.tensor(y), kernel=kernel)
    value.backward()
    assert value.item() == 1
    assert scores.grad.tolist() == [0.0] * len(x)


@pytest.mark.parametrize("kernel", KERNELS)
def test_batch_rows_at_the_mean_rank_have_no_direction(kernel):
    side = torch.linspace(0.5, 3, 600, dtype=torch.float64)
    bank = torch.cat([side, -side])
    scores = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([0.3, 1.3], dtype=torch.float64)
    spearman_loss(scores, targets, bank_scores=bank, bank_targets=bank, rows="batch", kernel=kernel, tau=0.7).backward()
    assert scores.grad.abs().max() < 1e3


@pytest.mark.parametrize("kernel", KERNELS)
def test_dense_path_with_a_bank_of_equal_scores(kernel):
    scores = torch.tensor([0.1, 0.2], requires_grad=True)
    bank = {"bank_scores": torch.zeros(1100), "bank_targets": torch.arange(1100.0)}
    dense = spearman_loss(scores, torch.tensor([1.0, 2.0]), kernel=kernel, tau=0.3, path="dense", **bank)
    assert dense.item() == pytest.approx(
        spearman_loss(scores, torch.tensor([1.0, 2.0]), kernel=kernel, tau=0.3, **bank).item(), abs=1e-6
    )


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("x", [[0.0, 1.0], [1.0, 0.0], [0.0, 0.0, 0.0, 0.0, 5.0], [1e-45, 0.0, 3e38, -3e38]])
def test_few_or_extreme_scores_stay_finite(kernel, x):
    scores = torch.tensor(x, requires_grad=True)
    value = spearman_loss(scores, torch.arange(len(x)).float(), kernel=kernel)
    value.backward()
    assert 0 <= value.item() <= 2
    assert torch.isfinite(scores.grad).all()


def test_a_small_batch_without_bank_has_a_gradient_for_every_wrong_item():
    x, y = correlated(8, seed=8)
    scores = (-x).requires_grad_()
    spearman_loss(scores, y).backward()
    assert (scores.grad != 0).all()


def test_window_is_robust_to_outliers_and_follows_the_scores():
    x, y = correlated(1000, seed=9)
    spread = x.clone()
    spread[0] = 1e9
    rho = stats.spearmanr(spread, y).statistic
    assert 1 - spearman_loss(spread, y).item() == pytest.approx(rho, abs=5e-3)
    assert 1 - spearman_loss((3 * x).exp(), y).item() == pytest.approx(stats.spearmanr(x, y).statistic, abs=2e-2)


def test_descending_the_loss_orders_the_scores():
    _, y = correlated(60, seed=10)
    scores = torch.randn(60, generator=torch.Generator().manual_seed(1)).requires_grad_()
    optimizer = torch.optim.Adam([scores], lr=0.1)
    loss = SpearmanLoss(window=0.3)
    for _ in range(60):
        optimizer.zero_grad()
        loss(scores, y).backward()
        optimizer.step()
    assert stats.spearmanr(scores.detach(), y).statistic > 0.97


def test_a_long_vector_matches_scipy():
    x, y = correlated(20_000, seed=11, levels=50, dtype=torch.float32)
    value = spearman_loss(x, y, window=0.001)
    assert 1 - value.item() == pytest.approx(stats.spearmanr(x, y).statistic, abs=2e-5)
