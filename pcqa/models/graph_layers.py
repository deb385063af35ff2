"""PyTorch Geometric's point convolution and its MLP on neighbour tables of a fixed width.

PyG's own neighbour search wants pyg-lib, which package indexes do not carry, so the tables come from `pcqa.ops`.
"""

import warnings
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

with warnings.catch_warnings():
    # PyG compiles classes with `torch.jit.script` while it is imported, which torch announces as deprecated.
    warnings.filterwarnings("ignore", message=".*torch.jit.script", category=Warning)
    from torch_geometric.nn import MLP

__all__ = ["MLP", "PointLayer", "neighbor_rows"]


class PointLayer(nn.Module):
    """The maximum over j of network([x_j, p_j - q_i]): PyG's `PointNetConv`, equal up to rounding and faster.

    The first layer is a sum of what neighbour and centre give, W [x_j, p_j] - V q_i, so that its products are as many
    as points and centres, not as edges; and the last activation, which must be a growing one, comes after the maximum.
    """

    def __init__(self, network: MLP) -> None:
        super().__init__()
        self.local_nn = network
        # As PyG's layer does, so that a seed gives the weights that it gave with that.
        network.reset_parameters()

    def forward(
        self,
        features: Float[Tensor, "n p c"],
        points: Float[Tensor, "n p d"],
        centers: Float[Tensor, "n m d"],
        table: Int[Tensor, "n m k"],
    ) -> Float[Tensor, "n m w"]:
        """Features of the centres from their neighbours in the table."""
        layers: list[Any] = list(self.local_nn.lins)
        norms: list[Any] = list(self.local_nn.norms)
        first = layers[0]
        # In half precision, differences of products are coarser than products of differences.
        with torch.autocast(points.device.type, enabled=False):
            ends = torch.cat([features.to(points.dtype), points], dim=-1)
            neighbors = functional.linear(ends, first.weight).flatten(0, 1)
            own = functional.linear(centers, first.weight[:, features.shape[-1] :]) - first.bias
            gathered = functional.embedding(neighbor_rows(table, points.shape[1]), neighbors)
            edges = gathered.sub_(own.flatten(0, 1)[:, None]).flatten(0, 1)
        edges = norms[0](edges)
        for linear, norm in zip(layers[1:], norms[1:], strict=True):
            edges = norm(linear(self.local_nn.act(edges)))
        # `max` with indices sends the gradient of duplicated (padded) neighbours to one of them; `amax` would share it
        # out at twice the cost for the same sum.
        return self.local_nn.act(edges.view(*table.shape, -1).max(dim=2).values)


def neighbor_rows(table: Int[Tensor, "n m k"], num_points: int) -> Int[Tensor, "nm k"]:
    """The rows that a table names where clouds of `num_points` are laid one after the other."""
    starts = torch.arange(len(table), device=table.device) * num_points
    return (table + starts[:, None, None]).flatten(0, 1)
