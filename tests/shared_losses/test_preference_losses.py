"""The fidelity loss and Thurstone's: pairs by normal probabilities, with standard deviations of scores and targets."""

import math
from functools import partial

import pytest
import torch
from scipy.stats import norm

from shared_losses.functional.fidelity import fidelity_loss
from shared_losses.functional.thurstone import thurstone_loss


def data(count=16, dtype=torch.float64):
    """Scores and targets with ties, and standard deviations of both, of targets some unknown and some 0."""
    generator = torch.Generator().manual_seed(count)
    x = torch.randn(count, generator=generator, dtype=torch.float64)
    y = 3 + x + torch.randn(count, generator=generator, dtype=torch.float64)
    score_std = 0.3 + torch.rand(count, generator=generator, dtype=torch.float64)
    target_std = 0.2 + torch.rand(count, generator=generator, dtype=torch.float64)
    target_std[[1, -2]] = torch.nan
    target_std[[2, 3, -1]] = 0
    target_std[[0, 4]] = 0.5
    return x.to(dtype), (y * 2).round() / 2, score_std.to(dtype), target_std


def sign(value):
    return int(value > 0) - int(value < 0)


def naive_preference(y, std, i, j):
    spread = math.hypot(std[i], std[j])
    if math.isnan(spread) or spread == 0:
        return (1 + sign(y[i] - y[j])) / 2
    return norm.cdf((y[i] - y[j]) / spread)


def naive_fidelity(p, g):
    return 1 - math.sqrt(p * g + 1e-8) - math.sqrt((1 - p) * (1 - g) + 1e-8)


def mean_over_pairs(count, term):
    terms = [term(i, j) for i in range(count) for j in range(count) if i != j]
    return sum(terms) / len(terms)


@pytest.mark.parametrize("with_score_std", [False, True])
@pytest.mark.parametrize("with_target_std", [False, True])
def test_values_are_the_formulas(with_score_std, with_target_std):
    x, y, s, std = data()
    options = {"score_std": s} if with_score_std else {}
    options |= {"target_std": std} if with_target_std else {}
    x_list, y_list = x.tolist(), y.tolist()
    s_list = s.tolist() if with_score_std else [1.0] * 16
    std_list = std.tolist() if with_target_std else [math.nan] * 16

    def unique(i, j):
        p = norm.cdf((x_list[i] - x_list[j]) / math.sqrt(s_list[i] ** 2 + s_list[j] ** 2 + 1e-8))
        return naive_fidelity(p, naive_preference(y_list, std_list, i, j))

    def thurstone(i, j):
        z = (x_list[i] - x_list[j]) / math.hypot(s_list[i], s_list[j])
        g = naive_preference(y_list, std_list, i, j)
        return -g * norm.logcdf(z) - (1 - g) * norm.logsf(z)

    assert fidelity_loss(x, y, **options).item() == pytest.approx(mean_over_pairs(16, unique), rel=1e-9)
    assert thurstone_loss(x, y, **options).item() == pytest.approx(mean_over_pairs(16, thurstone), rel=1e-12)


def test_liqe_is_the_mean_over_the_upper_triangle():
    x, y, s, std = data()
    terms = [
        naive_fidelity(norm.cdf(x[i].item() - x[j].item()), (1 + sign(y[i] - y[j])) / 2)
        for i in range(16)
        for j in range(i + 1, 16)
    ]
    assert fidelity_loss(x, y, form="liqe").item() == pytest.approx(sum(terms) / len(terms), rel=1e-9)
    assert torch.equal(fidelity_loss(x, y, form="liqe", score_std=s, target_std=std), fidelity_loss(x, y, form="liqe"))


def test_std_hinge_is_the_formula_and_alone_trains_the_standard_deviations():
    x, y, s, std = data()
    s.requires_grad_()
    plain = fidelity_loss(x.clone().requires_grad_(), y, score_std=s, target_std=std)
    assert torch.autograd.grad(plain, s, allow_unused=True)[0] is None
    value = fidelity_loss(x, y, score_std=s, target_std=std, std_weight=2)
    known = [(i, j) for i in range(16) for j in range(16) if i != j and not math.isnan(std[i] + std[j])]
    hinge = sum(max(0.0, 0.025 - sign(std[i] - std[j]) * (s[i] - s[j]).item()) for i, j in known) / len(known)
    assert value.item() == pytest.approx(plain.item() + 2 * hinge, rel=1e-12)
    assert torch.autograd.grad(value, s)[0].any()
    unknown = torch.full_like(std, torch.nan)
    value = fidelity_loss(x, y, score_std=s, target_std=unknown, std_weight=2)
    assert value.item() == pytest.approx(fidelity_loss(x, y, score_std=s).item(), rel=1e-12)


def gradients(loss, rows, **options):
    x, y, s, std = rows
    x, s = x.clone().requires_grad_(), s.clone().requires_grad_()
    value = loss(x, y, score_std=s, target_std=std, **options)
    return torch.autograd.grad(value, (x, s), allow_unused=True)


@pytest.mark.parametrize("loss", [fidelity_loss, thurstone_loss])
def test_bank_gives_the_slice_of_the_large_batch_gradient(loss):
    whole = gradients(loss, data())
    batch, rest = [part[:5] for part in data()], [part[5:] for part in data()]
    names = ("bank_scores", "bank_targets", "bank_score_std", "bank_target_std")
    for rescale, factor in ((False, 1), (True, 16 / 5)):
        part = gradients(loss, batch, **dict(zip(names, rest, strict=True)), rescale=rescale)
        for some, every in zip(part, whole, strict=True):
            if every is None:
                assert some is None
            else:
                torch.testing.assert_close(some, every[:5] * factor, rtol=1e-12, atol=1e-14)


def test_std_hinge_with_a_bank_gives_the_slice_where_all_standard_deviations_are_known():
    rows = [*data()[:3], torch.linspace(0.1, 2, 16, dtype=torch.float64)]
    loss = partial(fidelity_loss, std_weight=1.5)
    whole = gradients(loss, rows)
    names = ("bank_scores", "bank_targets", "bank_score_std", "bank_target_std")
    bank = dict(zip(names, [part[5:] for part in rows], strict=True))
    for rescale, factor in ((False, 1), (True, 16 / 5)):
        part = gradients(loss, [part[:5] for part in rows], **bank, rescale=rescale)
        for some, every in zip(part, whole, strict=True):
            torch.testing.assert_close(some, every[:5] * factor, rtol=1e-12, atol=1e-14)


def test_gradcheck():
    x, y, s, std = data(8)
    x, s = x.requires_grad_(), s.requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: thurstone_loss(a, y, score_std=b, target_std=std), (x, s))
    assert torch.autograd.gradcheck(lambda a: fidelity_loss(a, y, score_std=s, target_std=std), x)


def test_thurstone_far_out_has_the_gradient_of_a_square():
    for far in (1e4, 1e9, 1e30):
        x = torch.tensor([-far, far], dtype=torch.float64, requires_grad=True)
        value = thurstone_loss(x, torch.tensor([2.0, 1.0]))
        value.backward()
        # -log Phi(-z) is about z^2 / 2, z = 2 far / sqrt(2); its derivative by x, far.
        assert value.item() == pytest.approx(far**2, rel=1e-6)
        torch.testing.assert_close(x.grad, torch.tensor([-far, far], dtype=torch.float64), rtol=1e-6, atol=0)


def test_thurstone_is_least_where_scores_are_targets():
    _, y, _, std = data()
    std = std.where(std > 0, 0.7)
    for options in ({"score_std": std}, {}):
        used = std if options else torch.ones_like(std)
        x = y.clone().requires_grad_()
        thurstone_loss(x, y, target_std=used, **options).backward()
        torch.testing.assert_close(x.grad, torch.zeros_like(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("loss", [fidelity_loss, partial(fidelity_loss, std_weight=1), thurstone_loss])
@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30, 1e-100, 1e100])
@pytest.mark.parametrize("size", [1.0, 1e-100, 1e100])
def test_extreme_standard_deviations_are_finite(loss, scale, size):
    x, y, s, std = data(6)
    x, s = (x.clamp(-1, 1) * scale).requires_grad_(), (s.clamp(min=1) * size).clamp(max=1e100).requires_grad_()
    bank = {"bank_scores": x.detach().flip(0), "bank_targets": y}
    bank |= {"bank_score_std": s.detach(), "bank_target_std": std * 1e-200}
    for more in ({}, bank):
        value = loss(x, y * 1e90, score_std=s, target_std=std, **more)
        assert torch.isfinite(value)
        for part in torch.autograd.grad(value, (x, s), allow_unused=True):
            assert part is None or torch.isfinite(part).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("loss", [fidelity_loss, partial(fidelity_loss, std_weight=1), thurstone_loss])
def test_half_precision(loss, dtype):
    x, y, s, std = data(dtype=dtype)
    leaf = x.clone().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(leaf, y, score_std=s, target_std=std.to(dtype))
    value.backward()
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(
        loss(x.double(), y, score_std=s.double(), target_std=std.to(dtype).double()).item(), rel=1e-6
    )
    assert torch.isfinite(leaf.grad).all()


X = torch.tensor([0.1, 0.5, 0.2])


@pytest.mark.parametrize("loss", [fidelity_loss, thurstone_loss])
@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"score_std": X[:2]}, ValueError, "score_std and scores must have one length, got 2 and 3"),
        ({"score_std": X - 0.2}, ValueError, "score_std must be between 1e-100 and 1e100: 2 of 3"),
        ({"score_std": X / 0}, ValueError, "score_std must be between 1e-100 and 1e100: 3 of 3"),
        ({"score_std": X * torch.nan}, ValueError, "score_std must be between 1e-100 and 1e100: 3 of 3"),
        ({"score_std": torch.arange(3)}, TypeError, "score_std must be floating"),
        ({"bank_score_std": X}, ValueError, "bank_score_std came without score_std"),
        ({"score_std": X, "bank_score_std": X}, ValueError, "bank_score_std and bank_scores .* got 3 and 0"),
        ({"score_std": X, "bank_scores": X, "bank_targets": X}, ValueError, "without bank_score_std"),
        ({"target_std": X - 0.2}, ValueError, "target_std must be not negative, .* 1 of 3"),
        ({"target_std": X / 0}, ValueError, "target_std must be not negative, .* 3 of 3"),
        ({"bank_target_std": X}, ValueError, "bank_target_std and bank_scores .* got 3 and 0"),
    ],
)
def test_standard_deviations_are_checked(loss, options, error, words):
    with pytest.raises(error, match=words):
        loss(X, X, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"form": "loss_m2"}, "form must be one of 'unique', 'liqe'; got 'loss_m2'"),
        ({"std_weight": -1}, "std_weight must be finite and not negative"),
        ({"std_margin": math.nan}, "std_margin must be finite and not negative"),
        ({"std_weight": 1}, r"std_weight=1 needs .* score_std and target_std"),
        ({"std_weight": 1, "score_std": X}, r"std_weight=1 needs .* score_std and target_std"),
        ({"std_weight": 1, "score_std": X, "target_std": X, "form": "liqe"}, 'needs form="unique"'),
    ],
)
def test_fidelity_options_are_checked(options, words):
    with pytest.raises(ValueError, match=words):
        fidelity_loss(X, X, **options)
