"""PyTorch Geometric's layers fed with neighbour tables of a fixed width.

PyG's own neighbour search wants pyg-lib, which package indexes do not carry, so the tables come from `pcqa.ops`.
"""

import warnings
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

with warnings.catch_warnings():
    # PyG compiles classes with `torch.jit.script` while it is imported, which torch announces as deprecated.
    warnings.filterwarnings("ignore", message=".*torch.jit.script", category=Warning)
    from torch_geometric.nn import MLP, Aggregation, EdgeConv, MessagePassing, PointNetConv

__all__ = ["MLP", "EdgeLayer", "NeighborMax", "PointLayer", "neighbor_edges"]


class PointLayer(PointNetConv):
    """PyG's `PointNetConv` on a neighbour table: a network on every (feature, offset), then the maximum."""

    def __init__(self, network: MLP) -> None:
        super().__init__(network, add_self_loops=False, aggr=NeighborMax())

    def propagate(self, edge_index: Any, size: Any = None, **kwargs: Any) -> Tensor:
        """As in PyG. For classes without their own, PyG writes a module to the temporary folder and leaves it there."""
        return MessagePassing.propagate(self, edge_index, size, **kwargs)


class EdgeLayer(EdgeConv):
    """PyG's `EdgeConv` on a neighbour table: a network on every (feature, difference), then the maximum."""

    def __init__(self, network: MLP) -> None:
        super().__init__(network, aggr=NeighborMax())  # pyright: ignore[reportArgumentType]

    def propagate(self, edge_index: Any, size: Any = None, **kwargs: Any) -> Tensor:
        """See `PointLayer.propagate`."""
        return MessagePassing.propagate(self, edge_index, size, **kwargs)


class NeighborMax(Aggregation):
    """Maximum over the k messages of each target, for edges sorted by target with k edges each.

    Equal to PyG's `max`, which must assume edges in any order: a plain maximum over an axis takes less than half the
    time of that scatter, forward and backward.
    """

    def forward(
        self,
        x: Tensor,
        index: Tensor | None = None,
        ptr: Tensor | None = None,
        dim_size: int | None = None,
        dim: int = -2,
        max_num_elements: int | None = None,
    ) -> Tensor:
        """Reduce messages (targets * k, c) to (targets, c)."""
        if dim_size is None or x.shape[0] % dim_size != 0:
            raise ValueError(f"{x.shape[0]} edges do not divide evenly among {dim_size} targets")
        # `max` with indices sends the gradient of duplicated (padded) neighbours to one of them; `amax` would share it
        # out at twice the cost for the same sum.
        return x.view(dim_size, -1, x.shape[-1]).max(dim=1).values


def neighbor_edges(neighbors: Int[Tensor, "n m k"], num_points: int) -> Int[Tensor, "2 e"]:
    """The edge list (source, target) of a neighbour table; clouds are laid one after the other.

    Row j of cloud i becomes source `i * num_points + j`; targets count 0, 1, ... through all centres, k edges each.
    """
    n, m, k = neighbors.shape
    starts = torch.arange(n, device=neighbors.device) * num_points
    sources = (neighbors + starts[:, None, None]).flatten()
    targets = torch.arange(n * m, device=neighbors.device).repeat_interleave(k)
    return torch.stack([sources, targets])
