"""Losses over pairs, with what they share; those by normal probabilities also in test_preference_losses.py."""

import math
from functools import partial

import pytest
import torch
from scipy import stats

from shared_losses.functional.fidelity import fidelity_loss
from shared_losses.functional.kendall import kendall_loss
from shared_losses.functional.pairwise_hinge import pairwise_hinge_loss
from shared_losses.functional.ranknet import ranknet_loss
from shared_losses.functional.thurstone import thurstone_loss
from shared_losses.pairs import collect_pairs, pair_factor
from shared_losses.rows import collect_rows

LOSSES = {
    "linearity": pairwise_hinge_loss,
    "linearity_detach": partial(pairwise_hinge_loss, detach=True),
    "pyiqa": partial(pairwise_hinge_loss, form="pyiqa"),
    "mm_pcqa": partial(pairwise_hinge_loss, form="mm_pcqa"),
    "mm_pcqa_margin": partial(pairwise_hinge_loss, form="mm_pcqa", margin=True),
    "ranknet": ranknet_loss,
    "ranknet_weighted": partial(ranknet_loss, sigma=2, weight_by_gap=True),
    "unique": fidelity_loss,
    "liqe": partial(fidelity_loss, form="liqe"),
    "thurstone": thurstone_loss,
    "kendall": partial(kendall_loss, pairs="all"),
    "kendall_tau": partial(kendall_loss, tau=0.3, pairs="all"),
    "kendall_batch": kendall_loss,
}
MEANS = ["ranknet", "ranknet_weighted", "unique", "liqe", "thurstone"]  # plain means over all pairs


def data(count=30, dtype=torch.float64):
    generator = torch.Generator().manual_seed(count)
    x = torch.randn(count, generator=generator, dtype=torch.float64)
    y = 3 + x + torch.randn(count, generator=generator, dtype=torch.float64)
    return x.to(dtype), (y * 4).round() / 4  # ties


def ordered_pairs(count):
    return [(i, j) for i in range(count) for j in range(count) if i != j]


def sign(value):
    return int(value > 0) - int(value < 0)


def hinges(x, y):
    return {(i, j): max(0.0, (x[i] - x[j]) * sign(y[j] - y[i])) for i, j in ordered_pairs(len(x))}


def gradient(loss, x, y, **options):
    x = x.clone().requires_grad_()
    loss(x, y, **options).backward()
    return x.grad


def test_pairs_stand_for_all_ordered_pairs_that_hold_a_batch_row():
    x, y = data(9)
    rows = collect_rows(x[:4], y[:4], x[4:], y[4:])
    pairs = collect_pairs(rows, 1.0)
    held = [(i, j) for i, j in ordered_pairs(9) if min(i, j) < 4]
    assert pairs.weights.sum() == len(held)
    expected = sum((x[i] - x[j]).abs().item() for i, j in held) / len(held)
    assert pairs.mean(pairs.dx.abs()).item() == pytest.approx(expected, rel=1e-14)
    apart = [(i, j) for i, j in held if y[i] != y[j]]
    expected = sum((x[i] - x[j]).abs().item() for i, j in apart) / len(apart)
    assert pairs.mean(pairs.dx.abs(), pairs.dy != 0).item() == pytest.approx(expected, rel=1e-14)
    assert pair_factor(rows, rescale=False) == pytest.approx(len(held) / (9 * 8))
    assert pair_factor(rows, rescale=True) == pytest.approx(9 / 4 * len(held) / (9 * 8))


@pytest.mark.parametrize("weight_by_gap", [False, True])
def test_ranknet_is_the_formula(weight_by_gap):
    x, y = data()
    expected = []
    for i, j in ordered_pairs(len(x)):
        p = 1 / (1 + math.exp(-1.5 * (x[i] - x[j])))
        g = (1 + sign(y[i] - y[j])) / 2
        weight = abs(y[i] - y[j]).item() if weight_by_gap else 1
        expected.append(-weight * (g * math.log(p) + (1 - g) * math.log(1 - p)))
    value = ranknet_loss(x, y, sigma=1.5, weight_by_gap=weight_by_gap)
    assert value.item() == pytest.approx(sum(expected) / len(expected), rel=1e-12)


def test_hinges_are_the_formulas():
    x, y = data()
    h = hinges(x.tolist(), y.tolist())
    count = len(x)
    total, largest = sum(h.values()), max(h.values())
    assert total > 0
    linearity = total / (count * (count - 1)) / (1 + largest)
    assert pairwise_hinge_loss(x, y).item() == pytest.approx(linearity, rel=1e-12)
    assert pairwise_hinge_loss(x, y, detach=True).item() == pytest.approx(linearity, rel=1e-12)
    pyiqa = total / count**2 / (1 + largest)
    assert pairwise_hinge_loss(x, y, form="pyiqa").item() == pytest.approx(pyiqa, rel=1e-12)
    for threshold in (1, 0.6):
        near = [(i, j) for i, j in h if 0 < abs(y[i] - y[j]) < threshold]
        plain = sum(h[pair] for pair in near) / len(near)
        margin = sum(max(0.0, abs(y[i] - y[j]) - sign(y[i] - y[j]) * (x[i] - x[j])) for i, j in near) / len(near)
        value = pairwise_hinge_loss(x, y, form="mm_pcqa", threshold=threshold)
        assert value.item() == pytest.approx(plain, rel=1e-9)
        value = pairwise_hinge_loss(x, y, form="mm_pcqa", threshold=threshold, margin=True)
        assert value.item() == pytest.approx(float(margin), rel=1e-9)


def test_the_maximum_is_in_the_gradient_unless_detached():
    x, y = data()
    values = hinges(x.tolist(), y.tolist())
    largest = max(values.values())
    mean = sum(values.values()) / len(values)
    free, detached = gradient(pairwise_hinge_loss, x, y), gradient(pairwise_hinge_loss, x, y, detach=True)
    i, j = max(values, key=values.__getitem__)
    direction = torch.zeros_like(x)
    direction[i], direction[j] = sign(y[j] - y[i]), -sign(y[j] - y[i])
    torch.testing.assert_close(free, detached - mean / (1 + largest) ** 2 * direction)
    pyiqa = gradient(pairwise_hinge_loss, x, y, form="pyiqa")
    torch.testing.assert_close(pyiqa, detached * (len(x) - 1) / len(x))


@pytest.mark.parametrize("round_scores", [False, True])
def test_kendall_becomes_tau_b(round_scores):
    x, y = data(60)
    x = (x * 2).round() / 2 if round_scores else x
    expected = 1 - stats.kendalltau(x, y).statistic
    assert kendall_loss(x, y, tau_share=1e-9).item() == pytest.approx(expected, abs=1e-12)
    assert kendall_loss(x, y, tau=1e-9).item() == pytest.approx(expected, abs=1e-12)
    value = kendall_loss(x[:7], y[:7], bank_scores=x[7:], bank_targets=y[7:], tau=1e-9, pairs="all")
    assert value.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("pairs", ["all", "batch"])
def test_kendall_is_the_formula(pairs):
    x, y = data()
    held = [(i, j) for i, j in ordered_pairs(len(x)) if pairs == "all" or min(i, j) < 7]
    tau = 0.5 * x.std(correction=0).item()
    t = [math.tanh((x[i] - x[j]).item() / tau) for i, j in held]
    s = [sign(y[i] - y[j]) for i, j in held]
    dot = sum(a * b for a, b in zip(t, s, strict=True))
    expected = 1 - dot / math.sqrt(sum(a * a for a in t) * sum(b * b for b in s))
    value = kendall_loss(x[:7], y[:7], bank_scores=x[7:], bank_targets=y[7:], pairs=pairs)
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_kendall_in_blocks_is_kendall_in_one(monkeypatch):
    x, y = data()
    bank = {"bank_scores": x[3:], "bank_targets": y[3:]}
    expected = kendall_loss(x[:3], y[:3], **bank, pairs="all")
    monkeypatch.setattr("shared_losses.functional.kendall._CHUNK", 50)
    torch.testing.assert_close(kendall_loss(x[:3], y[:3], **bank, pairs="all"), expected, rtol=1e-14, atol=0)


def test_kendall_by_share_is_blind_to_shift_and_scale():
    x, y = data()
    torch.testing.assert_close(kendall_loss(7 + 1e6 * x, y), kendall_loss(x, y))
    torch.testing.assert_close(kendall_loss(x, y.exp()), kendall_loss(x, y))


@pytest.mark.parametrize("name", [*MEANS, "kendall", "kendall_tau"])
def test_bank_gives_the_slice_of_the_large_batch_gradient(name):
    x, y = data()
    whole = gradient(LOSSES[name], x, y)
    for rescale, factor in ((False, 1), (True, 30 / 8)):
        part = gradient(LOSSES[name], x[:8], y[:8], bank_scores=x[8:], bank_targets=y[8:], rescale=rescale)
        torch.testing.assert_close(part, whole[:8] * factor, rtol=1e-12, atol=1e-14)


def test_hinge_with_a_bank_gives_the_slice_up_to_constants_of_inner_bank_pairs():
    x, y = data()
    h = hinges(x.tolist(), y.tolist())
    held = {pair: value for pair, value in h.items() if min(pair) < 8}
    near, near_held = (sum(0 < abs(y[i] - y[j]) < 1 for i, j in some) for some in (h, held))
    ratios = {
        "linearity_detach": (1 + max(h.values())) / (1 + max(held.values())),
        "pyiqa": (1 + max(h.values())) / (1 + max(held.values())),
        "mm_pcqa": (near / len(h)) / (near_held / len(held)),
    }
    for name, ratio in ratios.items():
        whole = gradient(LOSSES[name], x, y)[:8] * ratio
        for rescale, factor in ((False, 1), (True, 30 / 8)):
            part = gradient(LOSSES[name], x[:8], y[:8], bank_scores=x[8:], bank_targets=y[8:], rescale=rescale)
            torch.testing.assert_close(part, whole * factor, rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize("name", ["linearity", "mm_pcqa", "mm_pcqa_margin", *MEANS, "kendall_tau"])
def test_gradcheck(name):
    x, y = data(9)
    assert torch.autograd.gradcheck(lambda s: LOSSES[name](s, y), x.clone().requires_grad_())
    if name == "kendall_tau":
        bank = {"bank_scores": torch.tensor([0.31, 1.7]).double(), "bank_targets": torch.tensor([2.0, 3.3]).double()}
        loss = partial(LOSSES[name], **bank, rescale=False)
        assert torch.autograd.gradcheck(lambda s: loss(s, y), x.clone().requires_grad_())


@pytest.mark.parametrize("name", LOSSES)
def test_row_order_does_not_matter(name):
    x, y = data()
    order = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(LOSSES[name](x[order], y[order]), LOSSES[name](x, y))
    torch.testing.assert_close(gradient(LOSSES[name], x[order], y[order]), gradient(LOSSES[name], x, y)[order])


@pytest.mark.parametrize("name", LOSSES)
def test_degenerate_batches_are_finite(name, finite_values):
    finite_values(LOSSES[name])


@pytest.mark.parametrize("name", LOSSES)
def test_a_single_row_has_no_pairs(name):
    scores = torch.tensor([0.3], requires_grad=True)
    value = LOSSES[name](scores, torch.tensor([2.0]))
    value.backward()
    assert value.item() == (1 if name.startswith("kendall") else 0)
    assert scores.grad.tolist() == [0.0]


@pytest.mark.parametrize("name", ["kendall", "kendall_batch"])
def test_kendall_without_order_is_one_with_a_zero_gradient(name):
    bank = {"bank_scores": torch.tensor([0.5, 0.7]), "bank_targets": torch.tensor([2.0, 2.0])}
    for x, y, more in (
        ([0.2, 0.2], [1.0, 2.0], {}),
        ([0.2, 0.4], [2.0, 2.0], bank),
    ):
        scores = torch.tensor(x, requires_grad=True)
        value = LOSSES[name](scores, torch.tensor(y), **more)
        value.backward()
        assert value.item() == 1
        assert not scores.grad.any()
    apart = {"bank_scores": torch.tensor([0.2, 0.7]), "bank_targets": torch.tensor([2.0, 3.0])}
    assert torch.isfinite(LOSSES[name](torch.tensor([0.2]), torch.tensor([2.0]), **apart))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_under_autocast(name, dtype):
    x, y = data(dtype=dtype)
    scores = x.clone().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = LOSSES[name](scores, y, bank_scores=x, bank_targets=y)
    value.backward()
    exact = LOSSES[name](x.double(), y, bank_scores=x.double(), bank_targets=y)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(exact.item(), rel=1e-6)
    assert scores.grad.dtype == dtype
    assert scores.grad.any()


@pytest.mark.parametrize(
    ("loss", "options", "words"),
    [
        (pairwise_hinge_loss, {"form": "hinge"}, "form must be one of 'linearity', 'pyiqa', 'mm_pcqa'; got 'hinge'"),
        (pairwise_hinge_loss, {"threshold": 0}, "threshold must be positive"),
        (ranknet_loss, {"sigma": -1}, "sigma must be positive"),
        (kendall_loss, {"tau": 0}, "tau must be positive"),
        (kendall_loss, {"tau_share": math.inf}, "tau_share must be positive"),
        (kendall_loss, {"pairs": "bank"}, "pairs must be one of 'all', 'batch'; got 'bank'"),
    ],
)
def test_options_are_checked(loss, options, words):
    with pytest.raises(ValueError, match=words):
        loss(*data(5), **options)


@pytest.mark.parametrize("name", LOSSES)
def test_rows_are_checked(name):
    x, y = data(5)
    with pytest.raises(ValueError, match=r"targets and scores .* got 4 and 5"):
        LOSSES[name](x, y[:4])
    with pytest.raises(ValueError, match="bank_scores came without bank_targets"):
        LOSSES[name](x, y, bank_scores=x)
    with pytest.raises(TypeError, match="scores must be floating"):
        LOSSES[name](torch.arange(5), y)
