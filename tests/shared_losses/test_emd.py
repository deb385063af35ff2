import math

import numpy as np
import pytest
import torch
from scipy import stats

from shared_losses.functional.cdf_quantile import cdf_quantile_loss
from shared_losses.functional.emd import emd_loss

LOSSES = [emd_loss, cdf_quantile_loss]


def data(rows=6, levels=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    p, q = (torch.rand(rows, levels, generator=generator, dtype=torch.float64) ** 2 for _ in range(2))
    p, q = p / p.sum(1, keepdim=True), q / q.sum(1, keepdim=True)
    values = torch.arange(1.0, levels + 1).double()
    return p @ values, q @ values, {"score_distribution": p, "target_distribution": q}


def naive_emd(p, q, r):
    total = 0
    for row_p, row_q in zip(p.tolist(), q.tolist(), strict=True):
        power = sum(abs(sum(row_p[: c + 1]) - sum(row_q[: c + 1])) ** r for c in range(len(row_p))) / len(row_p)
        total += power ** (1 / r)
    return total / len(p)


def naive_quantile(cdf, levels, k):
    if k < cdf[0]:
        return 2 * levels[0] - levels[1]
    for c in range(1, len(cdf)):
        if cdf[c - 1] < k <= cdf[c]:
            return np.interp(k, cdf[c - 1 : c + 1], levels[c - 1 : c + 1])
    return levels[0]


@pytest.mark.parametrize("r", [1, 1.5, 2, 3])
@pytest.mark.parametrize("levels", [1, 2, 5, 10])
def test_emd_is_the_formula(r, levels):
    x, y, shares = data(levels=levels)
    expected = naive_emd(*shares.values(), r)
    assert emd_loss(x, y, r=r, **shares).item() == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_emd_of_order_one_is_the_wasserstein_distance_of_the_levels():
    x, y, shares = data(rows=1, levels=10)
    p, q = (value[0].numpy() for value in shares.values())
    expected = stats.wasserstein_distance(np.arange(10), np.arange(10), p, q) / 10
    assert emd_loss(x, y, r=1, **shares).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("levels", [np.arange(1.0, 6), np.arange(2.0, 11, 2), np.linspace(0, 100, 11)])
def test_cdf_quantile_is_the_formula(levels):
    x, y, shares = data(levels=len(levels))
    p, q = (np.cumsum(value.numpy(), 1) for value in shares.values())
    error = np.mean([abs(naive_quantile(a, levels, k) - naive_quantile(b, levels, k))
                     for a, b in zip(p, q, strict=True) for k in (0.25, 0.5, 0.75)])  # fmt: skip
    options = {"low": levels[0].item(), "high": levels[-1].item()}
    for weight in (0.2, 0, 3):
        expected = naive_emd(*shares.values(), 2) + weight * error
        value = cdf_quantile_loss(x, y, quantile_weight=weight, **options, **shares)
        assert value.item() == pytest.approx(expected, rel=1e-12)


def test_quantiles_by_hand():
    shares = {
        "score_distribution": torch.tensor([[0.5, 0, 0.5, 0, 0]]).double(),
        "target_distribution": torch.tensor([[0.0, 0.25, 0.5, 0.25, 0]]).double(),
    }
    # 0.25 lies below the first share: one step below level 1. 0.5 is the first share: level 1. 0.75: half of 2 to 3.
    quantiles, given = [0, 1, 2.5], [2, 2.5, 3]
    emd = math.sqrt((0.5**2 + 0.25**2 + 0.25**2) / 5)
    expected = emd + 0.2 * np.abs(np.subtract(quantiles, given)).mean()
    assert cdf_quantile_loss(torch.ones(1).double(), torch.ones(1).double(), **shares).item() == pytest.approx(expected)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_goes_to_the_distribution_and_the_graph_of_scores_is_kept(loss):
    x, y, shares = data()
    given = {"target_distribution": shares["target_distribution"]}
    logits = shares["score_distribution"].log().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(x, y, score_distribution=z.softmax(1), **given), logits)
    scores, targets = x.clone().requires_grad_(), y.clone().requires_grad_()
    loss(scores, targets, **shares).backward()
    assert scores.grad.tolist() == [0.0] * 6
    assert targets.grad is None


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    "p", [[[0.0, 0, 1, 0, 0]], [[0.2] * 5], [[1.0, 0, 0, 0, 0]], [[0.0, 0, 0, 0, 1]], [[0.5, 0, 0.5, 0, 0]]]
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_distributions_that_agree_have_no_gradient(loss, p, dtype):
    shares = torch.tensor(p, dtype=dtype, requires_grad=True)
    scores = torch.ones(1, dtype=dtype, requires_grad=True)
    value = loss(scores, torch.ones(1, dtype=dtype), score_distribution=shares, target_distribution=shares)
    value.backward()
    assert value.item() == 0
    assert not shares.grad.any()
    other = loss(scores, torch.ones(1, dtype=dtype), score_distribution=shares, target_std=torch.ones(1, dtype=dtype))
    other.backward()
    assert torch.isfinite(shares.grad).all()


@pytest.mark.parametrize("r", [1, 1.3, 2, 5])
def test_emd_gradient_is_finite_where_one_level_agrees(r):
    p = torch.tensor([[0.2, 0.3, 0.5]], dtype=torch.float64, requires_grad=True)
    emd_loss(
        torch.ones(1), torch.ones(1), score_distribution=p, target_distribution=torch.tensor([[0.2, 0.4, 0.4]]), r=r
    ).backward()
    assert torch.isfinite(p.grad).all()
    assert p.grad.any()


def test_a_normal_distribution_stands_in_for_opinions():
    targets, std = torch.tensor([2.2, 4.9, -3.0]).double(), torch.tensor([0.7, 1.1, 2.0]).double()
    edges = np.array([-np.inf, 1.5, 2.5, 3.5, 4.5, np.inf])
    q = np.diff(stats.norm.cdf(edges[None], targets[:, None], std[:, None]))
    p = data(3)[2]["score_distribution"]
    for loss in LOSSES:
        expected = loss(targets, targets, score_distribution=p, target_distribution=torch.from_numpy(q)).item()
        assert loss(targets, targets, score_distribution=p, target_std=std).item() == pytest.approx(expected, rel=1e-10)
    scaled = emd_loss(targets, targets * 20, score_distribution=p, target_std=std * 20, low=20, high=100)
    assert scaled.item() == pytest.approx(emd_loss(targets, targets, score_distribution=p, target_std=std).item())


def test_an_unknown_deviation_splits_the_mass_or_takes_the_default():
    targets = torch.tensor([2.2, 5.0, 9.0, 0.0, 4.0], dtype=torch.float64)
    nan = torch.full((5,), math.nan).double()
    q = torch.tensor([[0, 4, 1, 0, 0], [0, 0, 0, 0, 5], [0, 0, 0, 0, 5], [5, 0, 0, 0, 0], [0, 0, 0, 5, 0]]).double() / 5
    p = data(5)[2]["score_distribution"]
    expected = emd_loss(targets, targets, score_distribution=p, target_distribution=q).item()
    for std in (None, nan, nan.nan_to_num(0)):
        value = emd_loss(targets, targets, score_distribution=p, target_std=std)
        assert value.item() == pytest.approx(expected, rel=1e-10)
    known = emd_loss(targets, targets, score_distribution=p, target_std=torch.full_like(nan, 0.5))
    assert emd_loss(targets, targets, score_distribution=p, target_std=nan, default_std=0.5).item() == known.item()


@pytest.mark.parametrize("loss", LOSSES)
def test_the_bank_is_ignored(loss):
    x, y, shares = data()
    assert loss(x, y, bank_scores=x[:2], bank_targets=y[:2], **shares).item() == loss(x, y, **shares).item()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("size", [1e-100, 1e99])
def test_extreme_input_is_finite(loss, size):
    x, y, shares = data()
    p = shares["score_distribution"].requires_grad_()
    scores = (x * size).requires_grad_()
    value = loss(scores, y * size, score_distribution=p, target_std=torch.full_like(y, size))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(p.grad).all()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_under_autocast(loss, dtype):
    x, y, shares = data(levels=10)
    x, y, logits = x.to(dtype), y.to(dtype), shares["score_distribution"].log().to(dtype).requires_grad_()
    given = shares["target_distribution"].to(dtype)
    p = logits.softmax(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(x, y, score_distribution=p, target_distribution=given)
    value.backward()
    assert value.dtype == torch.float32
    exact = loss(x.double(), y.double(), score_distribution=p.double(), target_distribution=given.double())
    assert value.item() == pytest.approx(exact.item(), rel=1e-6)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"score_distribution": None}, "score_distribution is missing"),
        ({"score_distribution": torch.full((5, 5), 0.2)}, r"score_distribution must have shape \(6, K\), got \(5, 5\)"),
        ({"target_distribution": torch.full((6, 4), 0.25)}, r"target_distribution must have shape \(6, 5\)"),
        ({"score_distribution": torch.full((6, 5), 0.3)}, "sums run from 1.5 to 1.5"),
        ({"score_distribution": torch.tensor([[1.5, -0.5, 0, 0, 0]] * 6)}, "the lowest is -0.5"),
        ({"target_distribution": torch.full((6, 5), 0.1)}, "target_distribution .* sums run from 0.5"),
        ({"score_distribution": torch.full((6, 5), math.nan)}, "score_distribution must be finite"),
        ({"target_distribution": None, "target_std": torch.tensor([1, 1, -1.0, 1, 1, 1])}, "not be negative, got -1"),
        ({"low": 5, "high": 5}, "low and high"),
        ({"low": math.nan}, "low and high"),
        ({"default_std": 0}, "default_std must be positive"),
    ],
)
def test_bad_input_is_refused(loss, changes, words):
    x, y, shares = data()
    with pytest.raises(ValueError, match=words):
        loss(x, y, **shares | changes)


def test_bad_options_are_refused():
    x, y, shares = data()
    for r in (0.5, math.inf, math.nan):
        with pytest.raises(ValueError, match="r must be"):
            emd_loss(x, y, r=r, **shares)
    with pytest.raises(ValueError, match="quantile_weight"):
        cdf_quantile_loss(x, y, quantile_weight=-1, **shares)
