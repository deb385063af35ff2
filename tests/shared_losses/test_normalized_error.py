import math

import numpy as np
import pytest
import torch
from scipy import stats

from shared_losses.functional.norm_in_norm import norm_in_norm_loss
from shared_losses.functional.normalized_error import NORMALIZERS, normalized_error_loss

ALPHAS = [(1, 0), (1, 0.1), (0, 1)]


def data(count=40, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    x, noise = (torch.randn(count, generator=generator, dtype=torch.float64) for _ in range(2))
    return (x + 0.3).to(dtype), (50 + 10 * (x + noise)).to(dtype)


def naive_error(x, y, normalizer, alpha, p=2):
    def normalised(values):
        values, eps = np.asarray(values), 1e-8
        spread = values.max() - values.min() + eps
        return {
            "z_score": lambda: (values - values.mean()) / (values.std() + eps),
            "min_max": lambda: (values - values.min()) / spread,
            "mean": lambda: (values - values.mean()) / spread,
            "scaling": lambda: values / (np.linalg.norm(values, p) + eps),
        }[normalizer]()

    a, b = normalised(x), normalised(y)
    c = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    scale = 1 if normalizer == "min_max" else 4
    terms = [((a - b) ** 2).mean() / scale, ((c * a - b) ** 2).mean() / scale]
    return np.dot(alpha, terms) / sum(alpha)


def naive_norm_in_norm(x, y, p, q, alpha):
    """LinearityIQA's formula, by numpy."""

    def normalised(values):
        values = np.asarray(values) - np.asarray(values).mean()
        size = np.abs(values).max() if q == math.inf else (np.abs(values) ** q).sum() ** (1 / q)
        return values / (1e-8 + size)

    a, b = normalised(x), normalised(y)
    c = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    scale = 2 ** max(1, 1 / q) * len(a) ** max(0, 1 / p - 1 / q)
    errors = [a - b + (1e-8 if p < 1 else 0), c * a - b + (1e-8 if p < 1 else 0)]
    terms = [((np.abs(e) ** p).sum() ** (1 / p) / scale) ** p for e in errors]
    return np.dot(alpha, terms) / sum(alpha)


@pytest.mark.parametrize("normalizer", NORMALIZERS)
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("detach", [False, True])
def test_value_is_the_formula(normalizer, alpha, detach):
    x, y = data()
    value = normalized_error_loss(x, y, normalizer=normalizer, alpha=alpha, detach=detach)
    assert value.item() == pytest.approx(naive_error(x, y, normalizer, alpha), rel=1e-7)


@pytest.mark.parametrize("p", [0.5, 1, 3, math.inf])
def test_scaling_takes_any_norm(p):
    x, y = data()
    value = normalized_error_loss(x, y, normalizer="scaling", p=p, alpha=(1, 0.1))
    assert value.item() == pytest.approx(naive_error(x, y, "scaling", (1, 0.1), p), rel=1e-10)


def test_z_scores_give_functions_of_plcc():
    x, y = data()
    rho = stats.pearsonr(x, y).statistic
    assert normalized_error_loss(x, y).item() == pytest.approx((1 - rho) / 2, abs=1e-8)
    assert normalized_error_loss(x, y, alpha=(0, 1)).item() == pytest.approx((1 - rho**2) / 4, abs=1e-8)
    assert normalized_error_loss(x, y).item() == pytest.approx(norm_in_norm_loss(x, y, p=2, q=2).item(), abs=1e-8)


@pytest.mark.parametrize("normalizer", NORMALIZERS)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_gradient(normalizer, alpha):
    x, y = data(9)
    options = {"normalizer": normalizer, "alpha": alpha, "p": 1.5, "rescale": False}
    bank = {"bank_scores": x[6:].clone(), "bank_targets": y[6:]}
    loss = lambda s: normalized_error_loss(s, y[:6], **bank, **options)  # noqa: E731
    assert torch.autograd.gradcheck(loss, x[:6].clone().requires_grad_())


@pytest.mark.parametrize("normalizer", NORMALIZERS)
def test_detached_statistics_are_constants(normalizer):
    x, y = data()
    x.requires_grad_()
    (found,) = torch.autograd.grad(normalized_error_loss(x, y, normalizer=normalizer, detach=True), x)
    step = 1e-6
    fixed = np.asarray(x.detach())
    size = {"z_score": fixed.std(), "scaling": np.linalg.norm(fixed)}.get(normalizer, np.ptp(fixed)) + 1e-8
    middle = {"min_max": fixed.min(), "scaling": 0}.get(normalizer, fixed.mean())
    target = np.asarray(y)
    width = {"z_score": target.std(), "scaling": np.linalg.norm(target)}.get(normalizer, np.ptp(target)) + 1e-8
    b = (target - {"min_max": target.min(), "scaling": 0}.get(normalizer, target.mean())) / width
    expected = 2 * ((fixed - middle) / size - b) / size / 40 / (1 if normalizer == "min_max" else 4)
    np.testing.assert_allclose(found, expected, rtol=step)


@pytest.mark.parametrize("normalizer", NORMALIZERS)
@pytest.mark.parametrize("detach", [False, True])
def test_bank_gives_the_slice_of_the_large_batch_gradient(normalizer, detach):
    x, y = data(60)
    options = {"normalizer": normalizer, "alpha": (1, 0.1), "detach": detach}
    whole = x.clone().requires_grad_()
    normalized_error_loss(whole, y, **options).backward()
    for rescale, factor in ((True, 60 / 8), (False, 1)):
        part, bank = x[:8].clone().requires_grad_(), x[8:].clone().requires_grad_()
        value = normalized_error_loss(part, y[:8], bank_scores=bank, bank_targets=y[8:], rescale=rescale, **options)
        value.backward()
        assert value.item() == pytest.approx(normalized_error_loss(x, y, **options).item(), rel=1e-12)
        torch.testing.assert_close(part.grad, whole.grad[:8] * factor, rtol=1e-11, atol=1e-14)
        assert bank.grad is None


@pytest.mark.parametrize("normalizer", NORMALIZERS)
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("size", [0, 1e-100, 1e-30, 1e30, 1e99])
@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_degenerate_rows_are_finite(normalizer, alpha, size, constant, count):
    x, y = data(count)
    scores = (x * size).requires_grad_()
    value = normalized_error_loss(scores, y * 0 + 3 if constant else y, normalizer=normalizer, alpha=alpha, p=7)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(scores.grad).all()
    if normalizer != "scaling" and (constant or size == 0 or count == 1):
        assert not scores.grad.any()


@pytest.mark.parametrize("normalizer", NORMALIZERS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_under_autocast(normalizer, dtype):
    x, y = data(dtype=dtype)
    scores = x.clone().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = normalized_error_loss(scores, y, normalizer=normalizer)
    value.backward()
    exact = normalized_error_loss(x.double(), y.double(), normalizer=normalizer)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(exact.item(), rel=1e-6)
    assert torch.isfinite(scores.grad).all()


@pytest.mark.parametrize("bad", [{"normalizer": "l2"}, {"p": 0}, {"p": math.nan}, {"alpha": (0, 0)}, {"alpha": (1,)}])
def test_options_are_checked(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        normalized_error_loss(*data(), **bad)


@pytest.mark.parametrize("p", [0.5, 1, 2, 3])
@pytest.mark.parametrize("q", [0.5, 1, 2, 3, math.inf])
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("detach", [False, True])
def test_norm_in_norm_is_the_formula_of_every_order(p, q, alpha, detach):
    x, y = data()
    value = norm_in_norm_loss(x, y, p=p, q=q, alpha=alpha, detach=detach)
    assert value.item() == pytest.approx(naive_norm_in_norm(x, y, p, q, alpha), rel=1e-9)


def test_norm_in_norm_is_the_programs_and_not_the_ports():
    """A well-known port scales by 2^p N^max(0, 1 - p / q) and leaves the outer power out: equal for p = 1 only."""
    x, y = data()
    for p in (1, 2):
        for q in (1, 2):
            a, b = ((v - v.mean()) / (1e-8 + torch.linalg.vector_norm(v - v.mean(), ord=q)) for v in (x, y))
            norm = torch.linalg.vector_norm(a - b, ord=p).item()
            program = (norm / (2 * 40 ** max(0, 1 / p - 1 / q))) ** p
            port = norm / (2**p * 40 ** max(0, 1 - p / q))
            value = norm_in_norm_loss(x, y, p=p, q=q).item()
            assert value == pytest.approx(program, rel=1e-12)
            assert (value == pytest.approx(port, rel=1e-9)) == (p == 1)


@pytest.mark.parametrize("p", [0.5, 1, 2, 3])
@pytest.mark.parametrize("q", [0.5, 1, 2, 3, math.inf])
def test_norm_in_norm_gradient(p, q):
    x, y = data(9, seed=1)
    loss = lambda s: norm_in_norm_loss(s, y, p=p, q=q, alpha=(1, 0.1))  # noqa: E731
    assert torch.autograd.gradcheck(loss, x.requires_grad_())


@pytest.mark.parametrize("p", [0.1, 1, 40])
@pytest.mark.parametrize("q", [0.1, 1, 40, math.inf])
@pytest.mark.parametrize("size", [0, 1e-30, 1e30, 1e99])
@pytest.mark.parametrize("x", [[1.0], [-1.0, 0.0, 1.0], [0.3, 0.1, 0.9, 0.1]])
def test_norm_in_norm_of_extreme_scores_and_orders_is_finite(p, q, size, x):
    scores = (torch.tensor(x, dtype=torch.float64) * size).requires_grad_()
    value = norm_in_norm_loss(scores, torch.arange(len(x)).double(), p=p, q=q, alpha=(1, 0.1))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(scores.grad).all()
