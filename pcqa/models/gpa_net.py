"""Graph attention on patches in the manner of GPA-Net: a reconstruction."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pcqa.models.graph_layers import MLP
from pcqa.models.neighborhoods import gather_neighbors, neighbor_offsets
from pcqa.models.patch_input import read_patches
from pcqa.ops.knn import knn


class GPANet(nn.Module):
    """Scores patches by graph convolutions that attend to perturbations, and a cloud by the mean of its patches.

    RECONSTRUCTION of Shan et al., "GPA-Net: No-Reference Point Cloud Quality Assessment with Multi-task Graph
    Convolutional Network", TVCG 2023, whose code is not public. Known: patches of nearest neighbours around
    farthest-point centres; a graph convolution whose attention looks at perturbations of structure and of texture; a
    module that normalises coordinates; type and degree of distortion as side tasks. Ours is all that is exact: a
    neighbour's weight is a softmax over the neighbours of a small network on its offset and difference of colour, and
    what it adds is another network on both and a linear map of the difference of features; patches are normalised one
    by one and turned at random in training; there are no side tasks, since a run knows no types.

    Scores do not depend on the order of the points in a patch, up to rounding and equally distant neighbours.

    Args:
        use_colors: Read differences of colour beside those of coordinates.
        patch_scale: Append the logarithm of the patch's radius relative to the cloud's to the pooled feature.
        neighbors: Neighbours of a point in the graph, which stays the same in all layers.
        widths: Channels of the graph convolutions.
        heads: Weights of attention for each neighbour; each is for its share of the channels.
        head: Hidden widths of the regression head.
        dropout: Dropout after each hidden layer of the head.
    """

    def __init__(
        self,
        *,
        use_colors: bool = True,
        patch_scale: bool = True,
        neighbors: int = 16,
        widths: Sequence[int] = (64, 128, 256),
        heads: int = 4,
        head: Sequence[int] = (128, 64),
        dropout: float = 0.3,
    ):
        super().__init__()
        if any(width % heads for width in widths):
            raise ValueError(f"widths must be multiples of heads = {heads}, got {widths}")
        self.use_colors = use_colors
        self.patch_scale = patch_scale
        self.neighbors = neighbors
        perturbation = 6 if use_colors else 3
        # Points begin without features: what they are is told by their neighbours.
        self.convs = nn.ModuleList(
            PerturbationConv(before, after, perturbation, heads) for before, after in pairwise([0, *widths])
        )
        self.scale_norm = nn.BatchNorm1d(1, affine=False) if patch_scale else None
        self.head = MLP([2 * widths[-1] + int(patch_scale), *head, 1], dropout=dropout)

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
        perturbations = neighbor_offsets(patches.points, patches.colors, table)
        features = patches.points.new_empty(n, p, 0)
        for conv in self.convs:
            features = conv(features, perturbations, table)
        pooled = torch.cat([features.amax(dim=1), features.mean(dim=1)], dim=1)
        if self.scale_norm is not None:
            pooled = torch.cat([pooled, self.scale_norm(patches.log_scales())], dim=1)
        patch_scores = self.head(pooled).view(patches.batch_size, patches.num_patches)
        return {"scores": patch_scores.mean(dim=1), "patch_scores": patch_scores}


class PerturbationConv(nn.Module):
    """x_i' = relu(norm(A x_i + sum_j a_ij (B (x_j - x_i) + C(d_ij)))), a_ij the softmax over j of a network on d_ij.

    d_ij are a neighbour's perturbations of structure and texture. C is a network with a hidden layer: opposite offsets
    would cancel under a linear map.
    """

    def __init__(self, before: int, after: int, perturbation: int, heads: int):
        super().__init__()
        self.heads = heads
        # Without biases last: neither the softmax nor the norm would let them through.
        self.attend = nn.Sequential(nn.Linear(perturbation, 16), nn.ReLU(), nn.Linear(16, heads, bias=False))
        self.perturb = nn.Sequential(nn.Linear(perturbation, 32), nn.ReLU(), nn.Linear(32, after, bias=False))
        self.own = nn.Linear(before, after, bias=False) if before else None
        self.other = nn.Linear(before, after, bias=False) if before else None
        self.norm = nn.BatchNorm1d(after)

    def forward(
        self, features: Float[Tensor, "n p c"], perturbations: Float[Tensor, "n p k d"], table: Int[Tensor, "n p k"]
    ) -> Float[Tensor, "n p w"]:
        """The features of all points, after `norm` over all of them."""
        weights = self.attend(perturbations).softmax(dim=2)  # n, p, k, heads
        messages = self.perturb(perturbations)
        if self.other is not None:
            # Mapped before they are gathered: there are k times as many neighbours as points.
            mapped = self.other(features)
            messages = messages + gather_neighbors(mapped, table) - mapped[:, :, None]
        attended = torch.einsum("npkh,npkhw->nphw", weights, messages.unflatten(3, (self.heads, -1))).flatten(2)
        if self.own is not None:
            attended = attended + self.own(features)
        return self.norm(attended.flatten(0, 1)).view_as(attended).relu()
