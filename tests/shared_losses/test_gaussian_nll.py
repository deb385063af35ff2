import math

import pytest
import torch
from scipy import stats

from shared_losses.functional.gaussian_nll import gaussian_nll_loss


def data(count=40, dtype=torch.float64):
    generator = torch.Generator().manual_seed(count)
    x, noise = (torch.randn(count, generator=generator, dtype=torch.float64) for _ in range(2))
    s = torch.rand(count, generator=generator, dtype=torch.float64) + 0.1
    return x.to(dtype), (50 + 10 * (x + noise)).to(dtype), s.to(dtype)


def standardised(y):
    return (y - y.mean()) / y.std(correction=0)


def test_value_is_the_likelihood_of_scipy():
    x, y, s = data()
    expected = -stats.norm.logpdf(standardised(y), x, s).mean() - math.log(2 * math.pi) / 2
    assert gaussian_nll_loss(x, y, score_std=s).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("small", [False, True])
def test_value_and_gradient_are_torchs(small):
    x, y, s = data()
    s = torch.where(s > 0.5, s, 1e-5) if small else s
    x.requires_grad_()
    s.requires_grad_()
    value = gaussian_nll_loss(x, y, score_std=s)
    expected = torch.nn.functional.gaussian_nll_loss(x, standardised(y), s.square())
    assert value.item() == pytest.approx(expected.item(), rel=1e-10)
    found, torchs = (torch.autograd.grad(loss, (x, s)) for loss in (value, expected))
    torch.testing.assert_close(found[0], torchs[0])
    # Torch clamps the variance, whose derivative by s then vanishes with s; ours is that of s at the bound.
    known = s >= 1e-3
    torch.testing.assert_close(found[1][known], torchs[1][known])
    error = ((x - standardised(y)) / 1e-3).detach()[~known]
    torch.testing.assert_close(found[1][~known], (1 - error.square()) / 1e-3 / 40)


def test_gradient():
    x, y, s = data(9)
    assert torch.autograd.gradcheck(
        lambda a, b: gaussian_nll_loss(a, y, score_std=b), (x.requires_grad_(), s.requires_grad_())
    )


def test_the_bank_takes_part_in_location_and_scale_only():
    x, y, s = data()
    value = gaussian_nll_loss(x[:5], y[:5], bank_scores=x[5:], bank_targets=y[5:], score_std=s[:5])
    options = {"location": y.mean().item(), "scale": y.std(correction=0).item()}
    assert value.item() == pytest.approx(gaussian_nll_loss(x[:5], y[:5], score_std=s[:5], **options).item(), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("size", [0, 1e-30, 1e30, 1e99])
@pytest.mark.parametrize("deviation", [0, 1e-30, 1, 1e30])
@pytest.mark.parametrize("minimum", [1e-50, 1e-3])
def test_extreme_input_is_finite(dtype, size, deviation, minimum):
    size = min(size, 1e37) if dtype == torch.float32 else size
    x, y, s = data(5)
    scores = (x * size).to(dtype).requires_grad_()
    std = (s * deviation).to(dtype).requires_grad_()
    value = gaussian_nll_loss(scores, y.to(dtype), score_std=std, minimum_std=minimum)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(scores.grad).all()
    assert torch.isfinite(std.grad).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_under_autocast(dtype):
    x, y, s = data(dtype=dtype)
    scores, std = x.clone().requires_grad_(), s.clone().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = gaussian_nll_loss(scores, y, score_std=std)
    value.backward()
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(
        gaussian_nll_loss(x.double(), y.double(), score_std=s.double()).item(), rel=1e-6
    )
    assert torch.isfinite(scores.grad).all()
    assert torch.isfinite(std.grad).all()
    tiny = (s * 0).requires_grad_()
    gaussian_nll_loss(x, y, score_std=tiny).backward()
    assert torch.isfinite(tiny.grad).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"score_std": None}, "score_std is missing"),
        ({"score_std": torch.ones(3)}, "score_std and scores must have one length, got 3 and 40"),
        ({"score_std": torch.ones(40, 1)}, "score_std must be one-dimensional"),
        ({"score_std": torch.full((40,), math.nan)}, "score_std must be finite"),
        ({"score_std": torch.full((40,), -0.5)}, "score_std must not be negative, got -0.5"),
        ({"minimum_std": 0}, "minimum_std must be finite and at least 1e-50, got 0"),
        ({"scale": 0}, "scale must be positive"),
    ],
)
def test_bad_input_is_refused(changes, words):
    x, y, s = data()
    with pytest.raises(ValueError, match=words):
        gaussian_nll_loss(x, y, **{"score_std": s} | changes)
