"""In small, what the scripts of benchmarks/losses prove at length."""

import inspect
import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from shared_losses import LOSSES, Objective, ScoreBank, Term, spearman_loss
from shared_losses.kernels import KERNELS
from shared_losses.row_inputs import ROW_INPUTS

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def ranked(count, seed, levels=None):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=count)
    y = x + 0.6 * generator.normal(size=count)
    return x, y if levels is None else np.round(y * levels / 4)


def value_and_gradient(x, y, **options):
    scores = torch.tensor(x, requires_grad=True)
    value = spearman_loss(scores, torch.tensor(y), **options)
    value.backward()
    return value.item(), scores.grad.numpy()


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_limit_is_scipys_coefficient(kernel):
    for count in (10, 100, 1500):
        for score_levels in (None, 2, 50):
            for target_levels in (None, 2, 5):
                x, y = ranked(count, count, target_levels)
                x = x if score_levels is None else np.round(x * score_levels / 4)
                tau = np.diff(np.unique(x)).min() / 1000
                value, _ = value_and_gradient(x, y, kernel=kernel, tau=tau)
                assert 1 - value == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


def difference_of_scipys_coefficient(up, down, y):
    count, t = len(y), stats.rankdata(y) - (len(y) + 1) / 2
    moved = stats.rankdata(up, axis=1) - stats.rankdata(down, axis=1)
    return moved @ t / np.sqrt((count**3 - count) / 12 * (t**2).sum())


@pytest.mark.parametrize("levels", [None, 3])
@pytest.mark.parametrize("count", [10, 100, 500])
def test_the_box_gradient_is_scipys_difference_for_every_coordinate(count, levels):
    x, y = ranked(count, count, levels)
    tau = 0.234567
    _, gradient = value_and_gradient(x, y, tau=tau, normalizer="constant")
    moved = tau * np.eye(count)
    expected = -difference_of_scipys_coefficient(x + moved, x - moved, y) / (2 * tau)
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("nearest", [1, 7])
@pytest.mark.parametrize("count", [10, 300])
def test_the_box_gradient_by_ranks_is_scipys_difference_for_every_coordinate(count, nearest):
    x, y = ranked(count, count, levels=5)
    x = np.sort(x)
    place = np.arange(count)
    low, high = x[np.maximum(place - nearest, 0)], x[np.minimum(place + nearest, count - 1)]
    up, down = np.tile(x, (count, 1)), np.tile(x, (count, 1))
    np.fill_diagonal(up, np.where(high > x, np.nextafter(high, np.inf), x))
    np.fill_diagonal(down, np.where(low < x, np.nextafter(low, -np.inf), x))
    _, gradient = value_and_gradient(x, y, nearest=nearest, normalizer="constant")
    expected = -difference_of_scipys_coefficient(up, down, y) / (high - low)
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-12 * abs(gradient).max())


@pytest.mark.parametrize(
    ("kernel", "noise"),
    [
        ("normal", lambda generator, shape, tau: generator.normal(0, tau / math.sqrt(2), shape)),
        ("laplace", lambda generator, shape, tau: generator.exponential(tau, shape)),
        ("triangle", lambda generator, shape, tau: generator.uniform(0, tau, shape)),
        ("logistic", lambda generator, shape, tau: generator.gumbel(0, tau, shape)),
    ],
)
def test_the_soft_rho_is_the_expected_coefficient_under_noise(kernel, noise):
    x, y = ranked(25, 0, levels=5)
    x[:4] = np.round(x[:4])
    generator, t = np.random.default_rng(1), stats.rankdata(y) - 13
    for tau in (0.1, 1.0, 5.0):
        ranks = stats.rankdata(x + noise(generator, (20_000, 25), tau), axis=1)
        rhos = ranks @ t / np.sqrt((25**3 - 25) / 12 * (t**2).sum())
        soft = 1 - value_and_gradient(x, y, kernel=kernel, tau=tau, normalizer="constant")[0]
        assert abs(soft - rhos.mean()) < 4 * rhos.std() / math.sqrt(20_000)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_fast_path_equals_the_dense_one(kernel):
    generator = np.random.default_rng(0)
    for _ in range(30):

        def one_of(*choices):
            return choices[generator.integers(len(choices))]

        batch, bank = int(generator.integers(12, 100)), one_of(0, 40, 200)
        x, y = ranked(batch + bank, generator.integers(2**31), one_of(None, 3))
        x = one_of(x, np.round(5 * x) / 5, x**3)
        x[0] *= one_of(1, 1e6)
        scale = one_of(1e-30, 1, 1, 1e30)
        x = torch.tensor(x * scale)
        options = one_of(
            {"window": 0.1}, {"window": 1.0}, {"tau": 0.0123 * scale}, {"tau": 1.23 * scale}, {"nearest": 3}
        )
        if kernel == "box" and "window" in options:
            x *= torch.linspace(1, 1.1, len(x))  # a pair on the very edge of the box is on either side by rounding
        options |= {"normalizer": one_of("soft", "constant"), "rows": one_of("all", "batch")}
        found = []
        for path in ("auto", "dense"):
            scores = x[:batch].clone().requires_grad_()
            stored = {"bank_scores": x[batch:], "bank_targets": torch.tensor(y[batch:])}
            value = spearman_loss(scores, torch.tensor(y[:batch]), kernel=kernel, path=path, **stored, **options)
            value.backward()
            found.append((value.item(), scores.grad))
        (value, gradient), (dense_value, dense) = found
        assert value == pytest.approx(dense_value, abs=1e-9)
        torch.testing.assert_close(gradient, dense, rtol=0, atol=1e-9 * dense.abs().max().item())


def batch_gradients(bank, draws, *, drift=0.0, **options):
    """Batch gradients of 16 rows with a bank from a population of 6,000, and the population's own."""
    generator = torch.Generator().manual_seed(0)
    x, noise = torch.randn(2, 6000, generator=generator, dtype=torch.float64)
    y = 0.9 * x + math.sqrt(1 - 0.9**2) * noise

    def gradient(scores, targets, bank_scores=None, bank_targets=None):
        scores = scores.clone().requires_grad_()
        bank = {"bank_scores": bank_scores, "bank_targets": bank_targets}
        spearman_loss(scores, targets, normalizer="constant", **bank, **options).backward()
        return scores.grad

    whole, found, wanted = gradient(x, y) * (6000 / 16), [], []
    for _ in range(draws):
        own, others = torch.randperm(6000, generator=generator)[: 16 + bank].split([16, bank])
        stale = x[others] + drift * torch.randn(bank, generator=generator, dtype=torch.float64)
        found.append(gradient(x[own], y[own], stale, y[others]))
        wanted.append(whole[own])
    return torch.cat(found), torch.cat(wanted)


def cosine(found, wanted):
    return (found @ wanted / (found.norm() * wanted.norm())).item()


def test_the_rescaled_gradient_with_a_bank_has_no_bias():
    found, wanted = batch_gradients(1024, 250, tau=0.5)
    assert (found @ wanted / (wanted @ wanted)).item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("kernel", "tau"), [("box", 0.5), ("triangle", 0.7), ("laplace", 0.3), ("logistic", 0.2), ("normal", 0.3)]
)
def test_a_bank_gives_the_direction_of_the_population(kernel, tau):
    alone, with_bank = (cosine(*batch_gradients(bank, 25, kernel=kernel, tau=tau)) for bank in (0, 1024))
    assert alone < 0.9
    assert with_bank > 0.99


def test_random_drift_of_the_bank_is_harmless_and_a_sharp_bandwidth_needs_the_bank():
    assert cosine(*batch_gradients(1024, 25, kernel="triangle", tau=0.7, drift=0.2)) > 0.99
    assert cosine(*batch_gradients(0, 60, tau=0.03)) < 0.5
    assert cosine(*batch_gradients(1024, 40, tau=0.03)) > 0.9


class Degenerate:
    """Random batches with ties, constants, outliers, extreme scales, unlike types and degenerate banks."""

    OPTIONS = (
        ("kernel", tuple(KERNELS)),
        ("window", (0.1, 1e-9, 1.0)),
        ("nearest", (None, 1, 5)),
        ("path", ("auto", "dense")),
        ("target_ranks", ("mid", "expected")),
        ("rows", ("all", "batch")),
        ("pairs", ("batch", "all")),
        ("rescale", (True, False)),
        ("detach", (True, False)),
        ("regularization", ("l2", "kl")),
        ("p", (1.0, 2.0, 7.0)),
        ("standardize", (True, False)),
        ("location", (0.0, 50.0)),
        ("scale", (1.0, 1e-6, 1e6)),
    )

    def __init__(self, seed):
        self.generator = np.random.default_rng(seed)

    def one_of(self, choices):
        return choices[self.generator.integers(len(choices))]

    def vector(self, count, dtype):
        values = self.generator.normal(size=count)
        values = self.one_of((values, values, np.round(values), np.sign(values), values * 0, values * 0 - 7.0))
        values[:1] *= self.one_of((1, 1, 1e6, 1e30))
        return self.as_type(values * self.one_of((1, 1, 1e-30, 1e-8, 1e8, 1e30)), dtype)

    def deviations(self, count, dtype):
        values = abs(self.generator.normal(size=count)) * self.one_of((1.0, 0.0, 1e-30, 1e30))
        return self.as_type(
            np.where(self.generator.uniform(size=count) < self.one_of((0, 0.5, 1)), np.nan, values), dtype
        )

    def extra(self, name, count, dtype):
        shape = (count, *ROW_INPUTS[name].shape[1:])
        if name == "target_std":
            return self.deviations(count, dtype)
        if name.endswith("distribution"):
            return torch.tensor(self.generator.normal(size=shape) * self.one_of((1, 30))).softmax(1).to(dtype)
        if name == "classes":
            return torch.tensor(self.generator.integers(-1, self.one_of((0, 2)), size=shape))
        values = self.as_type(self.generator.normal(size=shape) * self.one_of((1.0, 1e-4, 1e4)), dtype)
        return values.abs().clamp(min=1e-6) if name == "score_std" else values * self.one_of((1, 1, 0))

    def arguments(self, name):
        wanted = inspect.signature(LOSSES[name]).parameters
        dtype, other = self.one_of(DTYPES), self.one_of(DTYPES)
        count = 16 if name == "asna" else self.one_of((1, 2, 3, 8, 16, 33))
        bank = None if name == "asna" else self.one_of((None, 0, 1, 40))
        rows = {
            key: self.extra(key, count, dtype)
            for key, value in ROW_INPUTS.items()
            if value is not None and key in wanted
        }
        rows |= {"scores": self.vector(count, dtype), "targets": self.vector(count, other)}
        if bank is not None:
            rows |= {"bank_scores": self.vector(bank, dtype), "bank_targets": self.vector(bank, other)}
            rows |= {key: self.deviations(bank, dtype) for key in ("bank_target_std",) if key in wanted}
            rows |= {key: self.extra("score_std", bank, dtype) for key in ("bank_score_std",) if key in wanted}
        options = {key: self.one_of(values) for key, values in self.OPTIONS if key in wanted}
        return rows, options

    @staticmethod
    def as_type(values, dtype):
        limit = torch.finfo(dtype).max
        return torch.tensor(values).clamp(-limit, limit).to(dtype)


@pytest.mark.parametrize("name", LOSSES)
def test_a_degenerate_batch_never_gives_a_nan(name):
    problems, finite = Degenerate(seed=0), 0
    for _ in range(80):
        rows, options = problems.arguments(name)
        outputs = [
            rows[key].requires_grad_()
            for key in rows
            if key.startswith("score") or key.endswith(("embeddings", "predictions", "logits"))
        ]
        try:
            value = LOSSES[name](**rows, **options)
        except (ValueError, TypeError) as error:
            if len(str(error)) < 10:
                raise
            continue
        assert value.isfinite(), options
        assert value.requires_grad
        value.backward()
        assert rows["scores"].grad is not None
        assert all(row.grad is None or row.grad.isfinite().all() for row in outputs), options
        finite += 1
    assert finite > 40


def test_a_loss_on_detached_scores_is_refused_in_training(monkeypatch):
    def scipy_loss(scores, targets, **_):
        return torch.tensor(1 - stats.spearmanr(scores.detach(), targets).statistic, dtype=torch.float32)

    monkeypatch.setitem(LOSSES, "scipy", scipy_loss)
    scores = torch.randn(8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    with pytest.raises(ValueError, match="scipy has no gradient: the scores carry no graph"):
        Objective([Term("scipy")])(scores, torch.arange(8.0))
    with pytest.raises(ValueError, match="spearman has no gradient: the scores carry no graph"):
        Objective([Term("spearman")])(scores.detach(), torch.arange(8.0))


def held_out_correlation(seed, *, shuffled):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(1000, 12, generator=generator)
    weights = torch.randn(12, 2, generator=generator)
    targets = (features @ weights[:, 0]).tanh() + (features @ weights[:, 1]) / 4
    model = nn.Linear(12, 1)
    nn.init.normal_(model.weight, std=0.1, generator=generator)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    bank, order = ScoreBank(128), torch.randperm(128, generator=generator)
    for _ in range(10):
        for ids in torch.randperm(128, generator=generator).split(8):
            scores = model(features[ids])[:, 0]
            held = bank.view(exclude_ids=ids)
            present = torch.ones(128, dtype=torch.bool).index_fill(0, ids, False) & (bank.pushed_at >= 0)
            stored = targets[:128][order][present] if shuffled else held.targets
            optimizer.zero_grad()
            spearman_loss(scores, targets[ids], bank_scores=held.scores, bank_targets=stored).backward()
            optimizer.step()
            bank.push(scores.detach(), targets[ids], ids)
    return stats.spearmanr(model(features[128:])[:, 0].detach(), targets[128:]).statistic


def test_a_bank_with_shuffled_targets_hurts():
    right, wrong = ([held_out_correlation(seed, shuffled=shuffled) for seed in range(3)] for shuffled in (False, True))
    assert min(right) > 0.8
    assert min(np.subtract(right, wrong)) > 0.005
