import copy

import pytest
import torch
from torch import nn

from pcqa.models.edge_max import normalized_edge_max


def problem(dtype=torch.float64):
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(5).to(dtype)
    nn.init.normal_(norm.weight)  # negative ones, too, where the maximum becomes a minimum
    nn.init.normal_(norm.bias)
    own = (torch.randn(2, 7, 5, dtype=dtype) + 3).requires_grad_()
    others = (torch.randn(2, 9, 5, dtype=dtype) - 2).requires_grad_()
    return own, others, torch.randint(9, (2, 7, 4)), norm


def by_edges(own, others, table, norm):
    edges = own[:, :, None] + others[torch.arange(2)[:, None, None], table]
    return norm(edges.flatten(0, 2)).view_as(edges).max(dim=2).values


@pytest.mark.parametrize("training", [True, False])
def test_equals_batch_normalisation_of_all_edges(training):
    own, others, table, norm = problem()
    assert norm.weight.min() < 0 < norm.weight.max()
    dense_norm = copy.deepcopy(norm)
    for _ in range(2):  # Running statistics, and with them evaluation, away from their start.
        ours, dense = normalized_edge_max(own, others, table, norm), by_edges(own, others, table, dense_norm)
    norm.train(training)
    dense_norm.train(training)
    ours, dense = normalized_edge_max(own, others, table, norm), by_edges(own, others, table, dense_norm)
    torch.testing.assert_close(ours, dense)
    for buffer, wanted in zip(norm.buffers(), dense_norm.buffers(), strict=True):
        torch.testing.assert_close(buffer, wanted)
    found = torch.autograd.grad(ours.pow(3).sum(), [own, others, *norm.parameters()])
    wanted = torch.autograd.grad(dense.pow(3).sum(), [own, others, *dense_norm.parameters()])
    torch.testing.assert_close(found, wanted)


def test_moments_survive_a_large_common_value():
    own, others, table, norm = problem(torch.float32)
    far = normalized_edge_max(own + 1000, others, table, norm)
    torch.testing.assert_close(far, normalized_edge_max(own, others, table, norm), atol=1e-3, rtol=1e-3)


def test_equal_edges_give_the_bias():
    norm = nn.BatchNorm1d(3)
    same = normalized_edge_max(torch.ones(1, 4, 3), torch.ones(1, 4, 3), torch.zeros(1, 4, 2, dtype=torch.long), norm)
    assert torch.equal(same, torch.zeros(1, 4, 3))
