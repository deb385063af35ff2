"""ListNet, ListMLE and the relative ranking of TReS: losses of one list."""

import itertools
import math
from functools import partial

import pytest
import torch

from shared_losses.functional.listmle import listmle_loss
from shared_losses.functional.listnet import listnet_loss
from shared_losses.functional.relative_ranking import relative_ranking_loss

LOSSES = {
    "listnet": listnet_loss,
    "listnet_standardize": partial(listnet_loss, standardize=True, score_temperature=2, target_temperature=0.5),
    "listmle": listmle_loss,
    "relative_ranking": relative_ranking_loss,
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


def softmax(values):
    powers = [math.exp(v) for v in values]
    return [p / sum(powers) for p in powers]


def naive_listmle(x):
    """Scores in the order of falling targets."""
    return sum(math.log(sum(math.exp(s) for s in x[k:])) - x[k] for k in range(len(x))) / len(x)


def test_listnet_is_the_formula():
    x, y = data()
    q, p = softmax(y.tolist()), softmax(x.tolist())
    expected = -sum(b * math.log(a) for a, b in zip(p, q, strict=True))
    assert listnet_loss(x, y).item() == pytest.approx(expected, rel=1e-12)
    mean, std = y.mean().item(), y.std(correction=0).item()
    q, p = softmax([(v - mean) / std / 0.5 for v in y.tolist()]), softmax([v / 2 for v in x.tolist()])
    expected = -sum(b * math.log(a) for a, b in zip(p, q, strict=True))
    assert LOSSES["listnet_standardize"](x, y).item() == pytest.approx(expected, rel=1e-12)
    torch.testing.assert_close(gradient(listnet_loss, y, y), torch.zeros_like(y), rtol=0, atol=1e-15)


def test_listnet_standardized_is_blind_to_the_scale_of_targets():
    x, y = data()
    for other in (100 * y - 7, y * 1e-90, y * 1e90):
        value = listnet_loss(x, other, standardize=True)
        assert value.item() == pytest.approx(listnet_loss(x, y, standardize=True).item(), rel=1e-9)
    equal = listnet_loss(x, torch.full_like(y, 3), standardize=True)
    assert equal.item() == pytest.approx(-x.log_softmax(0).mean().item(), rel=1e-12)


def test_listmle_is_the_formula():
    x, y = data()
    y = y + 1e-3 * x  # no ties
    expected = naive_listmle(x[y.argsort(descending=True)].tolist())
    assert listmle_loss(x, y).item() == pytest.approx(expected, rel=1e-12)
    assert listmle_loss(x + 1e6, y).item() == pytest.approx(expected, rel=1e-9)


def test_listmle_of_ties_is_the_largest_of_their_orders():
    x, y = torch.tensor([0.3, -0.2, 1.1, 0.4, 0.9]).double(), torch.tensor([2.0, 1, 2, 2, 1])
    losses = [
        naive_listmle(x[list(order)].tolist())
        for order in itertools.permutations(range(5))
        if (y[list(order)].diff() <= 0).all()
    ]
    assert len(losses) == 12
    assert listmle_loss(x, y).item() == pytest.approx(max(losses), rel=1e-12)


def test_listmle_draws_ties_together_and_lets_equal_rows_share_the_gradient():
    one = gradient(listmle_loss, torch.tensor([0.4, 0.1]).double(), torch.tensor([2.0, 2.0]))
    assert one[0] > 0 > one[1]  # descent lowers the higher score
    x, y = torch.tensor([0.2, 0.5, 0.2, 0.2]).double(), torch.tensor([1.0, 1, 1, 2])
    shared = gradient(listmle_loss, x, y)
    assert shared[0] == shared[2] != shared[3]
    assert not gradient(listmle_loss, torch.ones(5).double(), torch.ones(5)).abs().gt(1e-16).any()


def test_relative_ranking_is_the_formula():
    total = 0
    for seed in range(40, 60):
        x, y = data(seed)
        y = y + 1e-3 * x
        order = sorted(range(seed), key=y.tolist().__getitem__)
        a, b, c, d = (order[k] for k in (0, 1, -2, -1))
        low = max(0.0, (abs(x[a] - x[b]) - abs(x[a] - x[d]) + y[d] - y[b]).item())
        high = max(0.0, (abs(x[d] - x[c]) - abs(x[d] - x[a]) + y[c] - y[a]).item())
        assert relative_ranking_loss(x, y).item() == pytest.approx(low + high, rel=1e-12)
        triplet = partial(torch.nn.functional.triplet_margin_loss, p=1, eps=0.0)
        rows = x.view(-1, 1, 1)
        expected = triplet(rows[a], rows[b], rows[d], margin=(y[d] - y[b]).item())
        expected += triplet(rows[d], rows[c], rows[a], margin=(y[c] - y[a]).item())
        assert relative_ranking_loss(x, y).item() == pytest.approx(expected.item(), rel=1e-12)
        total += expected
    assert total > 0
    assert relative_ranking_loss(y, y).item() == pytest.approx(0, abs=1e-12)
    assert relative_ranking_loss(-y, y).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_bank_gives_the_slice_of_the_large_batch_gradient(name):
    x, y = data()
    y = y + 1e-3 * x if name == "relative_ranking" else y
    x, y = x[y.argsort(stable=True).flip(0)], y[y.argsort(stable=True).flip(0)]  # an extreme is in the batch
    whole = gradient(LOSSES[name], x, y)
    assert whole[:8].any()
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
def test_row_order_does_not_matter(name):
    x, y = data()
    if name == "listmle":
        x = x.round(decimals=1)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(LOSSES[name](x[order], y[order]), LOSSES[name](x, y))
    torch.testing.assert_close(gradient(LOSSES[name], x[order], y[order]), gradient(LOSSES[name], x, y)[order])


@pytest.mark.parametrize("name", LOSSES)
def test_degenerate_batches_are_finite(name, finite_values):
    finite_values(LOSSES[name])


@pytest.mark.parametrize("name", LOSSES)
def test_a_single_row_costs_nothing(name):
    scores = torch.tensor([0.3], requires_grad=True)
    value = LOSSES[name](scores, torch.tensor([2.0]))
    value.backward()
    assert value.item() == 0
    assert scores.grad.tolist() == [0.0]


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


@pytest.mark.parametrize("option", ["score_temperature", "target_temperature"])
@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan])
def test_temperatures_are_checked(option, value):
    with pytest.raises(ValueError, match=f"{option} must be positive"):
        listnet_loss(*data(5), **{option: value})


@pytest.mark.parametrize("name", LOSSES)
def test_rows_are_checked(name):
    x, y = data(5)
    with pytest.raises(ValueError, match=r"targets and scores .* got 4 and 5"):
        LOSSES[name](x, y[:4])
    with pytest.raises(ValueError, match="bank_scores came without bank_targets"):
        LOSSES[name](x, y, bank_scores=x)
    with pytest.raises(TypeError, match="scores must be floating"):
        LOSSES[name](torch.arange(5), y)
