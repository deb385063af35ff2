import numpy as np
import pytest
import torch
from scipy.special import erf

from shared_losses.functional.gcc import gcc_loss

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(40, generator=GENERATOR, dtype=torch.float64)
Y = X + 0.5 * torch.randn(40, generator=GENERATOR, dtype=torch.float64)


def published(x, y, batch, alpha=0.5, beta=0.5, gamma=1.0):
    """The recovered program, in NumPy: full matrix of all rows, sums over the batch."""

    def rank(values):
        z = (values - values.mean()) / values.std(ddof=1)
        return (0.5 * (1 + erf((z[:, None] - z[None]) / np.sqrt(2)))).sum(1)

    def correlate(u, v):
        a, b = (u - u.mean())[:batch], (v - v.mean())[:batch]
        return (a * b).sum() / (np.sqrt((a**2).sum()) * np.sqrt((b**2).sum()))

    error = ((x[:batch] - y[:batch]) ** 2).mean()
    return alpha * (1 - correlate(x, y)) + beta * (1 - correlate(rank(x), rank(y))) + gamma * error


@pytest.mark.parametrize("batch", [3, 16, 40])
@pytest.mark.parametrize("weights", [{}, {"alpha": 0, "gamma": 0, "beta": 1}, {"alpha": 2.0, "beta": 0.3, "gamma": 0}])
def test_value_is_the_published_programs(batch, weights):
    bank = {"bank_scores": X[batch:], "bank_targets": Y[batch:]}
    value = gcc_loss(X[:batch], Y[:batch], **bank, **weights)
    assert value.item() == pytest.approx(published(X.numpy(), Y.numpy(), batch, **weights), abs=1e-12)


def test_published_figures_of_monotone_maps():
    # What the recovered program gives for exactly monotone maps of normal scores: it is no rank correlation.
    y = torch.special.ndtri((torch.arange(4000, dtype=torch.float64) + 0.5) / 4000)
    for change, expected in (
        (torch.exp, 0.929),
        (lambda v: (2 * v).exp(), 0.683),
        (lambda v: v**3, 0.881),
        (lambda v: torch.sigmoid(5 * v), 0.937),
    ):
        assert 1 - gcc_loss(change(y), y, alpha=0, beta=1, gamma=0).item() == pytest.approx(expected, abs=0.012)


def test_gradient_by_differences():
    x = X[:8].clone().requires_grad_()
    bank = {"bank_scores": X[8:], "bank_targets": Y[8:]}
    assert torch.autograd.gradcheck(lambda s: gcc_loss(s, Y[:8], **bank), x)
    assert torch.autograd.gradcheck(lambda s: gcc_loss(s, Y[:8], location=0.3, scale=2.0), x)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([0.5], [1.0]),
        ([0.5, 0.5], [1.0, 2.0]),
        ([0.5, 0.7], [1.0, 1.0]),
        ([1e-30, 2e-30, 0], [1.0, 3, 2]),
        ([-6e4, 6e4], [0.0, 1]),
    ],
)
def test_degenerate_batches_are_finite(dtype, x, y):
    for bank in ({}, {"bank_scores": torch.tensor([0.6]), "bank_targets": torch.tensor([1.5])}):
        scores = torch.tensor(x, dtype=dtype, requires_grad=True)
        value = gcc_loss(scores, torch.tensor(y), **{k: v.to(dtype) for k, v in bank.items()})
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(scores.grad).all()


def test_without_spread_only_the_error_has_a_gradient():
    scores = torch.full((3,), 0.5, requires_grad=True)
    value = gcc_loss(scores, torch.tensor([0.5, 0.2, 0.8]))
    value.backward()
    assert value.item() == pytest.approx(1 + 0.06)
    torch.testing.assert_close(scores.grad, 2 / 3 * torch.tensor([0.0, 0.3, -0.3]))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha": -1.0}, "alpha must be finite and not negative, got -1"),
        ({"scale": 0.0}, "scale must be positive"),
        ({"location": float("inf")}, "location must be finite"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        gcc_loss(X, Y, **options)
