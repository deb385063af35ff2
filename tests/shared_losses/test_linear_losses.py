"""PLCC, Norm-in-Norm and the standardised errors."""

import math

import pytest
import torch
from scipy import stats

from shared_losses import MAELoss, MSELoss, mae_loss, mse_loss, norm_in_norm_loss, plcc_loss


def data(count=40, dtype=torch.float64):
    generator = torch.Generator().manual_seed(count)
    x = torch.randn(count, generator=generator, dtype=torch.float64)
    return x.to(dtype), 50 + 10 * (x + torch.randn(count, generator=generator, dtype=torch.float64))


def naive_norm_in_norm(x, y, p, q, alpha, exponent):
    """The formula in plain loops over numbers."""

    def normalised(values):
        mean = sum(values) / len(values)
        norm = sum(abs(v - mean) ** q for v in values) ** (1 / q)
        return [(v - mean) / (1e-8 + norm) for v in values]

    a, b = normalised(x), normalised(y)
    cosine = sum(i * j for i, j in zip(a, b, strict=True)) / math.sqrt(sum(i * i for i in a) * sum(j * j for j in b))
    scale = 2 ** max(1, 1 / q) * len(x) ** max(0, 1 / p - 1 / q)
    terms = []
    for c in (1, cosine):
        norm = sum(abs(c * i - j) ** p for i, j in zip(a, b, strict=True)) ** (1 / p) / scale
        terms.append(norm**p if exponent else norm)
    return (alpha[0] * terms[0] + alpha[1] * terms[1]) / sum(alpha)


@pytest.mark.parametrize("p", [1, 2, 1.5])
@pytest.mark.parametrize("q", [1, 2])
@pytest.mark.parametrize("alpha", [(1, 0), (1, 0.1), (0, 1)])
@pytest.mark.parametrize("exponent", [True, False])
def test_norm_in_norm_is_the_formula(p, q, alpha, exponent):
    x, y = data()
    value = norm_in_norm_loss(x, y, p=p, q=q, alpha=alpha, exponent=exponent)
    assert value.item() == pytest.approx(naive_norm_in_norm(x.tolist(), y.tolist(), p, q, alpha, exponent), rel=1e-10)


def test_norm_in_norm_of_order_two_is_half_of_plcc_loss():
    x, y = data()
    expected = (1 - stats.pearsonr(x, y).statistic) / 2
    assert norm_in_norm_loss(x, y, p=2, q=2).item() == pytest.approx(expected, abs=1e-8)
    assert plcc_loss(x, y).item() == pytest.approx(2 * expected, abs=1e-14)


def test_norm_in_norm_detach_keeps_the_value_and_drops_the_normalisation_from_the_gradient():
    x, y = data(12)
    x.requires_grad_()
    free, detached = norm_in_norm_loss(x, y, p=2), norm_in_norm_loss(x, y, p=2, detach=True)
    assert free.item() == detached.item()
    mean, norm = x.mean().item(), (x - x.mean()).norm().item()
    b = (y - y.mean()) / (1e-8 + (y - y.mean()).norm())
    expected = 2 * ((x.detach() - mean) / (1e-8 + norm) - b) / (1e-8 + norm) / 4
    torch.testing.assert_close(torch.autograd.grad(detached, x)[0], expected)
    assert not torch.allclose(torch.autograd.grad(free, x)[0], expected)


@pytest.mark.parametrize(
    "loss",
    [
        plcc_loss,
        lambda *a, **k: norm_in_norm_loss(*a, p=2, **k),
        lambda *a, **k: norm_in_norm_loss(*a, alpha=(1, 0.1), **k),
        lambda *a, **k: norm_in_norm_loss(*a, p=0.7, **k),
    ],
)
def test_bank_gives_the_slice_of_the_large_batch_gradient(loss):
    x, y = data(60)
    whole = x.clone().requires_grad_()
    loss(whole, y).backward()
    for rescale, factor in ((True, 60 / 8), (False, 1)):
        part = x[:8].clone().requires_grad_()
        value = loss(part, y[:8], bank_scores=x[8:], bank_targets=y[8:], rescale=rescale)
        value.backward()
        assert value.item() == pytest.approx(loss(x, y).item(), rel=1e-12)
        torch.testing.assert_close(part.grad, whole.grad[:8] * factor, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("loss", [plcc_loss, norm_in_norm_loss, mse_loss, mae_loss])
def test_gradcheck(loss):
    x, y = data(9)
    bank = {"bank_scores": torch.ones(2).double(), "bank_targets": torch.tensor([3.0, 60.0]).double()}
    options = {} if loss in (mse_loss, mae_loss) else {"rescale": False}
    assert torch.autograd.gradcheck(lambda s: loss(s, y, **bank, **options), x.requires_grad_())


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_plcc_at_extreme_scales(scale):
    x, y = data(dtype=torch.float32)
    scores = (x * scale).requires_grad_()
    value = plcc_loss(scores, y)
    value.backward()
    assert value.item() == pytest.approx(1 - stats.pearsonr(x, y).statistic, abs=1e-6)
    assert torch.isfinite(scores.grad).all()
    assert scores.grad.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("loss", [plcc_loss, norm_in_norm_loss, mse_loss, mae_loss])
def test_half_precision_under_autocast(loss, dtype):
    x, y = data(dtype=dtype)
    scores = x.clone().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(scores, y.to(dtype), bank_scores=x, bank_targets=y.to(dtype))
    value.backward()
    exact = loss(x.double(), y.to(dtype).double(), bank_scores=x.double(), bank_targets=y.to(dtype).double())
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(exact.item(), rel=1e-6)
    assert scores.grad.dtype == dtype


@pytest.mark.parametrize("loss", [plcc_loss, norm_in_norm_loss])
@pytest.mark.parametrize(("x", "y"), [([1.0], [2.0]), ([1.0, 1.0], [0.0, 3.0]), ([0.0, 1.0], [3.0, 3.0])])
def test_rows_without_correlation_have_a_zero_gradient(loss, x, y):
    scores = torch.tensor(x, requires_grad=True)
    value = loss(scores, torch.tensor(y))
    value.backward()
    assert scores.grad.tolist() == [0.0] * len(x)
    # Norm-in-Norm with a = 0 or b = 0: the other's 1-norm, sqrt(2), over the scale 2 sqrt(2).
    expected = 1 if loss is plcc_loss else (0 if len(x) == 1 else 0.5)
    assert value.item() == pytest.approx(expected, abs=1e-6)


def test_errors_on_standardised_targets():
    x, y = data()
    z = (y - y.mean()) / y.std(correction=0)
    assert mse_loss(x, y).item() == pytest.approx((x - z).square().mean().item(), rel=1e-12)
    assert mae_loss(x, y).item() == pytest.approx((x - z).abs().mean().item(), rel=1e-12)
    z = (y - 40) / 7
    assert MSELoss(location=40, scale=7)(x, y).item() == pytest.approx((x - z).square().mean().item(), rel=1e-12)
    assert MAELoss(location=40, scale=7)(x, y).item() == pytest.approx((x - z).abs().mean().item(), rel=1e-12)
    part = mse_loss(x[:5], y[:5], bank_scores=x[5:], bank_targets=y[5:])
    z = (y - y.mean()) / y.std(correction=0)
    assert part.item() == pytest.approx((x - z)[:5].square().mean().item(), rel=1e-12)


def test_errors_without_a_scale_are_refused_not_guessed():
    with pytest.raises(ValueError, match="all 1 rows of batch and bank are 50; pass scale"):
        mse_loss(torch.tensor([0.3]), torch.tensor([50.0]))
    assert mse_loss(torch.tensor([0.3]), torch.tensor([50.0]), location=50, scale=10).item() == pytest.approx(0.09)
    for bad in ({"scale": 0.0}, {"scale": math.nan}, {"location": math.inf}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            mae_loss(torch.tensor([0.3, 1]), torch.tensor([50.0, 2]), **bad)


@pytest.mark.parametrize("bad", [{"p": 0}, {"q": -1}, {"p": math.inf}, {"alpha": (0, 0)}, {"alpha": (1, -1)}])
def test_norm_in_norm_options_are_checked(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        norm_in_norm_loss(*data(), **bad)
