import math

import pytest
import torch

from shared_losses.bandwidth import solve_tau

BOX = 1 / math.sqrt(3)


def test_even_spacing_gives_half_the_span_of_the_window():
    ordered = torch.arange(1000).double()
    assert solve_tau(ordered, window=0.1, spread=BOX).item() == pytest.approx(50)
    assert solve_tau(ordered, window=0.1, spread=2 * BOX).item() == pytest.approx(25)


def test_small_batches_reach_eight_items_or_beyond_their_range():
    assert solve_tau(torch.arange(20).double(), window=0.1, spread=BOX).item() == pytest.approx(4)
    assert solve_tau(torch.tensor([0.0, 1.0]).double(), window=0.1, spread=BOX).item() == pytest.approx(4)


def test_heavy_ties_take_the_smallest_positive_span():
    ordered = torch.tensor([0.0] * 60 + [3.0] * 40 + [10.0] * 2).double()
    assert solve_tau(ordered, window=0.1, spread=BOX).item() == pytest.approx(1.5)


def test_long_vectors_are_sampled_the_same_from_both_ends():
    ordered = torch.randn(9001, generator=torch.Generator().manual_seed(0), dtype=torch.float64).sort().values
    tau = solve_tau(ordered, window=0.1, spread=BOX).item()
    assert solve_tau(-ordered.flip(0), window=0.1, spread=BOX).item() == pytest.approx(tau, rel=1e-12)
    spans = ordered[900:] - ordered[:-900]
    assert tau == pytest.approx(spans.median().item() / 2, rel=5e-3)
