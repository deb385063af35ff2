"""DGCNN: edge convolutions on a graph that is rebuilt in feature space, as a no-reference quality model on patches."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from pcqa.models.edge_max import normalized_edge_max
from pcqa.models.graph_layers import MLP
from pcqa.models.neighborhoods import neighbor_unit
from pcqa.models.patch_input import read_patches
from pcqa.ops.knn import knn


class DGCNN(nn.Module):
    """Scores patches by edge convolutions on graphs in feature space, and a cloud by the mean of its patches.

    Architecture: Wang et al., "Dynamic Graph CNN for Learning on Point Clouds", 2019, classification network; the
    defaults are the published widths (1.8 M parameters on coordinates alone). The first graph joins neighbours in
    space, each further one neighbours in the features of the layer before. Ours, beside the head with one score:

    - `patch_scale` appends the logarithm of the patch's radius relative to the cloud's (see `PointNet2`).
    - The first layer sees where a point lies, and of its neighbours the differences of place and colour in units that
      make both about 1 (see `neighbor_offsets`). The published layer would learn the colours themselves by heart, and
      drown small displacements in them.

    Every layer searches its neighbours anew: without an accelerator this network is an order of magnitude slower than
    PointNet++.

    Scores do not depend on the order of the points in a patch, up to rounding and equally distant neighbours.

    Args:
        use_colors: Read colours beside coordinates (3 more channels).
        patch_scale: Append the logarithm of the patch's relative radius to the pooled feature.
        neighbors: Neighbours of a point in each graph.
        widths: Channels of the edge convolutions.
        embedding: Channels that are pooled over the patch.
        head: Hidden widths of the regression head.
        dropout: Dropout after each hidden layer of the head.
    """

    def __init__(
        self,
        *,
        use_colors: bool = True,
        patch_scale: bool = True,
        neighbors: int = 20,
        widths: Sequence[int] = (64, 64, 128, 256),
        embedding: int = 1024,
        head: Sequence[int] = (512, 256),
        dropout: float = 0.5,
    ):
        super().__init__()
        self.use_colors = use_colors
        self.patch_scale = patch_scale
        self.neighbors = neighbors
        self.first = _leaky_mlp([3 + (6 if use_colors else 3), widths[0]])
        self.convs = nn.ModuleList(EdgeLayer(_leaky_mlp([2 * before, after])) for before, after in pairwise(widths))
        self.embed = _leaky_mlp([sum(widths), embedding])
        pooled = 2 * embedding + int(patch_scale)
        self.scale_norm = nn.BatchNorm1d(1, affine=False) if patch_scale else None
        self.head = nn.Sequential(_leaky_mlp([pooled, *head], dropout=dropout), nn.Linear(head[-1], 1))

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score patches.

        Args:
            batch: `points` (B, K, P, 3) in the unit sphere; with `use_colors` also `colors` (B, K, P, 3) in [0, 1];
                with `patch_scale` also `scales` (B, K).

        Returns:
            `scores` (B,) and `patch_scores` (B, K); higher is better.
        """
        patches = read_patches(batch, use_colors=self.use_colors, use_scales=self.patch_scale)
        n, p, _ = patches.points.shape
        if p < self.neighbors:
            raise ValueError(
                f"patches of {p} points cannot have {self.neighbors} neighbours each: lower model.options.neighbors"
            )
        table, _ = knn(patches.points, patches.points, self.neighbors)
        # Places of neighbours in the unit of `neighbor_offsets`, beside their colours.
        unit = neighbor_unit(self.neighbors, p)
        looks = torch.cat([patches.points / unit, patches.colors], dim=-1)
        features = edge_conv(self.first, patches.points, looks, table)
        levels = [features]
        for conv in self.convs:
            features = conv(features, nearest_features(features, self.neighbors))
            levels.append(features)
        embedded = self.embed(torch.cat(levels, dim=-1).flatten(0, 1)).view(n, p, -1)
        pooled = torch.cat([embedded.amax(dim=1), embedded.mean(dim=1)], dim=1)
        if self.scale_norm is not None:
            pooled = torch.cat([pooled, self.scale_norm(patches.log_scales())], dim=1)
        patch_scores = self.head(pooled).view(patches.batch_size, patches.num_patches)
        return {"scores": patch_scores.mean(dim=1), "patch_scores": patch_scores}


class EdgeLayer(nn.Module):
    """PyG's `EdgeConv` on a neighbour table, for a network of one layer: see `edge_conv`."""

    def __init__(self, network: MLP) -> None:
        super().__init__()
        self.nn = network
        # As PyG's layer does, so that a seed gives the weights that it gave with that.
        network.reset_parameters()

    def forward(self, features: Float[Tensor, "n p c"], table: Int64[Tensor, "n p k"]) -> Float[Tensor, "n p w"]:
        """Features of all points from the differences to their neighbours."""
        return edge_conv(self.nn, features, features, table)


def edge_conv(
    network: MLP, own: Float[Tensor, "n p a"], compared: Float[Tensor, "n p b"], table: Int64[Tensor, "n p k"]
) -> Float[Tensor, "n p w"]:
    """The maximum over j of act(norm(W [own_i, compared_j - compared_i])), without a tensor of all edges.

    Args:
        network: One layer without bias, normalised, with a growing activation.
        own: What a point sees of itself.
        compared: What it sees of its neighbours as differences.
        table: Neighbours of each point.
    """
    (weight,) = (linear.weight for linear in cast(Any, network.lins))
    (norm,) = (wrapper.module for wrapper in cast(Any, network.norms))
    # In half precision, differences of products are coarser than products of differences.
    with torch.autocast(own.device.type, enabled=False):
        own, compared = own.to(weight.dtype), compared.to(weight.dtype)
        others = functional.linear(compared, weight[:, own.shape[-1] :])
        centers = functional.linear(own, weight[:, : own.shape[-1]]) - others
        return network.act(normalized_edge_max(centers, others, table, norm))


@torch.no_grad()
def nearest_features(features: Float[Tensor, "n p c"], k: int) -> Int64[Tensor, "n p k"]:
    """The k nearest points of each point in feature space, itself among them, nearest first.

    By matrix products, which with a hundred channels take a twentieth of the time of `pcqa.ops.knn`. What they lose to
    cancellation matters for coordinates far from the origin, not for features, which are centred here.
    """
    tables = []
    # One patch at a time bounds the memory to p * p values.
    for patch in features:
        centred = patch - patch.mean(dim=0)
        # |x - y|^2 without |x|^2, which is the same for all candidates y of x.
        distances = torch.addmm(centred.square().sum(dim=1), centred, centred.T, alpha=-2)
        tables.append(distances.topk(k, dim=1, largest=False).indices)
    return torch.stack(tables)


def _leaky_mlp(channels: Sequence[int], *, dropout: float = 0.0) -> MLP:
    return MLP(list(channels), act=nn.LeakyReLU(0.2), bias=False, plain_last=False, dropout=dropout)
