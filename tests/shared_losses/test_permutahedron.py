import itertools
import math

import numpy as np
import pytest
import torch
from scipy import optimize, stats

from shared_losses.functional.permutahedron import REGULARIZATIONS, permutahedron_loss, permutahedron_rank
from shared_losses.functional.plcc import plcc_loss


def data(count=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, generator=generator, dtype=torch.float64)
    return x, 50 + 10 * (x + torch.randn(count, generator=generator, dtype=torch.float64))


def slow_projection(theta, regularization):
    """Minimises the distance over the permutahedron, written as a constraint on the sum of every subset."""
    count = len(theta)
    top = np.cumsum(np.arange(count, 0, -1))
    subsets = [
        np.isin(np.arange(count), chosen) for k in range(1, count) for chosen in itertools.combinations(range(count), k)
    ]
    constraints = [{"type": "eq", "fun": lambda r: r.sum() - top[-1]}]
    constraints += [{"type": "ineq", "fun": lambda r, m=mask: top[m.sum() - 1] - r[m].sum()} for mask in subsets]

    def distance(r):
        return ((r - theta) ** 2).sum() / 2 if regularization == "l2" else (r * (np.log(r) - theta) - r).sum()

    start = np.full(count, (count + 1) / 2)
    options = {"ftol": 1e-14, "maxiter": 1000}
    found = optimize.minimize(
        distance, start, method="SLSQP", constraints=constraints, options=options, bounds=[(1e-6, None)] * count
    )
    assert found.success
    return found.x


@pytest.mark.parametrize("regularization", REGULARIZATIONS)
@pytest.mark.parametrize("strength", [0.5, 1, 3, 30])
def test_ranks_are_the_projection(regularization, strength):
    for seed in range(3):
        x, _ = data(5, seed)
        found = permutahedron_rank(x, strength=strength, regularization=regularization)
        expected = slow_projection(x.numpy() / strength, regularization)
        np.testing.assert_allclose(found.numpy(), expected, atol=2e-5)


@pytest.mark.parametrize("strength", [1e-3, 0.01, 0.03, 0.1, 1])
@pytest.mark.parametrize("tied", [False, True])
def test_l2_ranks_are_scipys_isotonic_regression(strength, tied):
    x, _ = data(200)
    x = (x * 5).round() / 5 if tied else x
    order = np.argsort(-x.numpy(), kind="stable")
    s = x.numpy()[order] / strength
    fit = optimize.isotonic_regression(s - np.arange(200, 0, -1), increasing=False).x
    expected = np.empty(200)
    expected[order] = s - fit
    np.testing.assert_allclose(permutahedron_rank(x, strength=strength).numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("strength", [0.03, 0.2, 1, 10])
def test_kl_ranks_are_the_best_of_all_block_partitions(strength):
    """The dual: minimise sum exp(s - v) + sum w v over non-increasing v, constant on blocks; all blocks are tried."""
    x, _ = data(7)
    order = np.argsort(-x.numpy())
    s, w = x.numpy()[order] / strength, np.arange(7.0, 0, -1)
    best = (math.inf, None)
    for cuts in itertools.product([False, True], repeat=6):
        block = np.cumsum([False, *cuts])
        v = np.array([np.log(np.exp(s[block == b]).sum() / w[block == b].sum()) for b in block])
        if (np.diff(v) <= 1e-12).all():
            best = min(best, (np.exp(s - v).sum() + w @ v, tuple(v)))
    expected = np.empty(7)
    expected[order] = np.exp(s - np.array(best[1]))
    found = permutahedron_rank(x, strength=strength, regularization="kl")
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10)


@pytest.mark.parametrize("regularization", REGULARIZATIONS)
@pytest.mark.parametrize("count", [1, 2, 3, 17, 300])
def test_a_small_strength_gives_midranks(regularization, count):
    x, _ = data(count)
    for values in (x, (x * 3).round()):
        for strength in (1e-9, 1e-300):
            found = permutahedron_rank(values, strength=strength, regularization=regularization)
            np.testing.assert_allclose(found.numpy(), stats.rankdata(values), rtol=1e-12)


def test_a_large_strength_gives_an_affine_map_and_the_loss_is_plcc():
    x, y = data()
    ranks = torch.from_numpy(stats.rankdata(y))
    for strength in (10, 1e3, 1e12, 1e100):
        found = permutahedron_rank(x, strength=strength)
        torch.testing.assert_close(found, (x - x.mean()) / strength + 20.5, rtol=1e-12, atol=0)
        value = permutahedron_loss(x, y, strength=strength)
        assert value.item() == pytest.approx(plcc_loss(x, ranks).item(), rel=1e-12)


def test_entropic_ranks_of_a_large_strength_are_a_softmax():
    x, y = data()
    found = permutahedron_rank(x, strength=1e3, regularization="kl")
    torch.testing.assert_close(found, 820 * torch.softmax(x / 1e3, 0), rtol=1e-12, atol=0)
    value = permutahedron_loss(x, y, strength=1e12, regularization="kl")
    assert value.item() == pytest.approx(plcc_loss(x, torch.from_numpy(stats.rankdata(y))).item(), rel=1e-9)


@pytest.mark.parametrize("regularization", REGULARIZATIONS)
@pytest.mark.parametrize("gaps", [0.1, 0.5, 2])
def test_gradient(regularization, gaps):
    x, y = data(12)
    options = {"strength": gaps * 0.3, "regularization": regularization}
    bank = {"bank_scores": x[7:], "bank_targets": y[7:]}
    assert torch.autograd.gradcheck(lambda s: permutahedron_rank(s, **options), x.clone().requires_grad_())
    assert torch.autograd.gradcheck(
        lambda s: permutahedron_loss(s, y[:7], **bank, rescale=False, **options), x[:7].clone().requires_grad_()
    )


@pytest.mark.parametrize("regularization", REGULARIZATIONS)
def test_value_is_one_minus_pearson_and_blind_to_shift_and_scale(regularization):
    x, y = data()
    options = {"gaps": 0.7, "regularization": regularization}
    value = permutahedron_loss(x, y, **options).item()
    ranks = permutahedron_rank(x, **options)
    assert value == pytest.approx(1 - stats.pearsonr(ranks, stats.rankdata(y)).statistic, rel=1e-12)
    gap = (x.max() - x.min()).item() / (39 if regularization == "l2" else math.log(40))
    assert value == pytest.approx(
        permutahedron_loss(x, y, strength=0.7 * gap, regularization=regularization).item(), rel=1e-12
    )
    assert permutahedron_loss(1e9 * x + 7e8, y**3, **options).item() == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("regularization", REGULARIZATIONS)
def test_bank_gives_the_slice_of_the_large_batch_gradient(regularization):
    x, y = data(60)
    whole = x.clone().requires_grad_()
    permutahedron_loss(whole, y, regularization=regularization).backward()
    assert whole.grad.any()
    for rescale, factor in ((True, 60 / 8), (False, 1)):
        part, bank = x[:8].clone().requires_grad_(), x[8:].clone().requires_grad_()
        value = permutahedron_loss(
            part, y[:8], bank_scores=bank, bank_targets=y[8:], regularization=regularization, rescale=rescale
        )
        value.backward()
        assert value.item() == pytest.approx(permutahedron_loss(x, y, regularization=regularization).item(), rel=1e-12)
        torch.testing.assert_close(part.grad, whole.grad[:8] * factor, rtol=1e-12, atol=1e-14)
        assert bank.grad is None


@pytest.mark.parametrize("regularization", REGULARIZATIONS)
def test_many_rows(regularization):
    x, y = data(100_000)
    x.requires_grad_()
    value = permutahedron_loss(x, y, regularization=regularization)
    value.backward()
    assert 0 < value.item() < 1
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("regularization", REGULARIZATIONS)
@pytest.mark.parametrize("strength", [None, 1e-300, 1.0, 1e300])
@pytest.mark.parametrize(
    "x",
    [[1.0], [2.0, 2.0, 2.0], [0.0, 1e-30, 3e-30], [1e30, -1e30, 0.0], [1e100, 0.0, -1e100], [1.0, 1.0, 2.0, 2.0, 1.0]],
)
def test_degenerate_scores_are_finite(regularization, strength, x):
    scores = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    targets = torch.arange(len(x)).double()
    value = permutahedron_loss(scores, targets, strength=strength, regularization=regularization)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(scores.grad).all()
    assert torch.isfinite(permutahedron_rank(scores, strength=strength, regularization=regularization)).all()
    if len(set(x)) == 1:
        assert value.item() == 1
        assert not scores.grad.any()


def test_equal_targets():
    x, _ = data(5)
    x.requires_grad_()
    value = permutahedron_loss(x, torch.ones(5))
    value.backward()
    assert value.item() == 1
    assert not x.grad.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("regularization", REGULARIZATIONS)
def test_half_precision_under_autocast(dtype, regularization):
    x, y = (values.to(dtype) for values in data())
    scores = x.clone().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = permutahedron_loss(scores, y, regularization=regularization)
    value.backward()
    exact = permutahedron_loss(x.double(), y.double(), regularization=regularization)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(exact.item(), rel=1e-6)
    assert torch.isfinite(scores.grad).all()
    assert scores.grad.any()


@pytest.mark.parametrize(
    "bad", [{"strength": 0}, {"strength": math.nan}, {"gaps": -1}, {"gaps": math.inf}, {"regularization": "l1"}]
)
def test_options_are_checked(bad):
    x, y = data()
    for call in (lambda: permutahedron_loss(x, y, **bad), lambda: permutahedron_rank(x, **bad)):
        with pytest.raises(ValueError, match=next(iter(bad))):
            call()


def test_ranks_of_bad_scores_are_refused():
    with pytest.raises(ValueError, match="one-dimensional"):
        permutahedron_rank(torch.ones(2, 2))
    with pytest.raises(ValueError, match="finite"):
        permutahedron_rank(torch.tensor([math.nan]))
