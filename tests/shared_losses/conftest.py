import pytest
import torch

DEGENERATE = [
    ([1.0], [2.0]),
    ([1.0, 1.0], [2.0, 3.0]),
    ([1.0, 1.0, 1.0], [0.0, 3.0, 3.5]),
    ([2.0, 2.0, 2.0], [1.0, 3.0, 2.0]),
    ([0.0, 1.0, 2.0], [3.0, 3.0, 3.0]),
    ([3.0, 3.0, 3.0], [3.0, 3.0, 3.0]),
    ([0.0, 0.0, 1.0, 1.0], [3.0, 3.5, 3.5, 3.0]),
    ([1.0, 1.0 + 2**-52, 1.0], [3.0, 3.5, 3.5]),
    ([1e100, -1e100, 0.0], [1.0, 2.0, 2.5]),
    ([1e30, -1e30, 0.0], [1e100, -1e100, 0.0]),
    ([1e16, 1e16 + 2, 1e16 - 2, 1e15], [1.0, 2.0, 1.0, 2.0]),
    ([1e-30, -1e-30, 0.0], [1e-30, 2e-30, 0.0]),
    ([1e-100, -1e-100, 0.0], [1.0, 2.0, 2.5]),
    ([1e-200, -1e-200, 0.0], [1e-200, 2e-200, 0.0]),
]


@pytest.fixture(params=DEGENERATE, ids=lambda batch: f"{batch[0]}-{batch[1]}")
def degenerate(request):
    """Scores and targets that a careless formula turns into a NaN."""
    return request.param


@pytest.fixture(params=[torch.float64, torch.float32, torch.float16], ids=str)
def finite_values(request, degenerate):
    """Runs a loss on a degenerate batch, with and without bank, checks its gradients and returns its values."""
    x, y = degenerate
    dtype, limit = request.param, torch.finfo(request.param).max
    scores = torch.tensor(x, dtype=torch.float64).clamp(-limit, limit).to(dtype)
    targets = torch.tensor(y, dtype=torch.float64)

    def run(loss):
        values = []
        for bank in ({}, {"bank_scores": scores.clone(), "bank_targets": targets.flip(0)}):
            leaf = scores.clone().requires_grad_()
            value = loss(leaf, targets, **bank)
            value.backward()
            assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
            assert torch.isfinite(value)
            assert torch.isfinite(leaf.grad).all()
            values.append(value.item())
        return values

    return run
