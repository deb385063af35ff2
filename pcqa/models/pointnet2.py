"""PointNet++ with single-scale grouping, as a no-reference quality model on patches."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pcqa.models.graph_layers import MLP, PointLayer
from pcqa.models.grouping import make_groupings, tables_of
from pcqa.models.patch_input import PatchInput, read_patches


class PointNet2(nn.Module):
    """Scores patches by PointNet++ with single-scale grouping, and a cloud by the mean of its patches.

    Architecture: Qi et al., "PointNet++", 2017, classification network with single-scale grouping; the defaults are the
    published widths (1.47 M parameters on coordinates alone). Ours, beside the head with one score:

    - `patch_scale` appends the logarithm of the patch's radius relative to the cloud's to the global feature. Patches
      are normalised to the unit sphere, which hides their density, and that is what down-sampling changes.
    - Colours enter as coordinates do: as differences between a neighbour and its centre. Distortions show in
      differences; the colours themselves tell contents apart and are learned by heart where contents are few.
    - Offsets are divided by the radius of their level (as PointNeXt does). Otherwise colours drown them, and small
      displacements are learned very slowly.

    Scores do not depend on the order of the points in a patch except through `group_points`: with the same centres and
    neighbours they are equal up to rounding.

    Args:
        use_colors: Read colours beside coordinates (3 more channels).
        patch_scale: Append the logarithm of the patch's relative radius to the global feature.
        counts: Centres of each level.
        radii: Radius of each level, in units of the patch's radius.
        neighbors: Neighbours of each centre at each level.
        widths: Layer widths of each level and, last, of the global level.
        head: Hidden widths of the regression head.
        dropout: Dropout after each hidden layer of the head.
    """

    def __init__(
        self,
        *,
        use_colors: bool = True,
        patch_scale: bool = True,
        counts: Sequence[int] = (512, 128),
        radii: Sequence[float] = (0.2, 0.4),
        neighbors: Sequence[int] = (32, 64),
        widths: Sequence[Sequence[int]] = ((64, 64, 128), (128, 128, 256), (256, 512, 1024)),
        head: Sequence[int] = (512, 256),
        dropout: float = 0.4,
    ):
        super().__init__()
        self.groupings = make_groupings(counts=counts, radii=radii, neighbors=neighbors)
        if any(len(grouping.radii) > 1 for grouping in self.groupings):
            raise ValueError(f"this network has one scale a level, got radii {radii}: see the model pointnet2-msg")
        if len(widths) != len(self.groupings) + 1:
            raise ValueError(
                f"widths needs {len(self.groupings)} levels and the global one, got {len(widths)} lists: {widths}"
            )
        self.use_colors = use_colors
        self.patch_scale = patch_scale
        channels = 3 if use_colors else 0
        levels = []
        for grouping, level_widths in zip(self.groupings, widths[:-1], strict=True):
            levels.append(SetAbstraction(3 + channels, level_widths, grouping.radii[0]))
            channels = level_widths[-1]
        self.levels = nn.ModuleList(levels)
        self.global_level = MLP([3 + channels, *widths[-1]], plain_last=False)
        self.scale_norm = nn.BatchNorm1d(1, affine=False) if patch_scale else None
        self.head = MLP([widths[-1][-1] + int(patch_scale), *head, 1], dropout=dropout)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score patches.

        Args:
            batch: `points` (B, K, P, 3) in the unit sphere; with `use_colors` also `colors` (B, K, P, 3) in [0, 1];
                with `patch_scale` also `scales` (B, K); optionally the tables of `group_points` as `centers_i`
                (B, K, M) and `neighbors_i_0` (B, K, M, k), else they are found here.

        Returns:
            `scores` (B,) and `patch_scores` (B, K); higher is better.
        """
        patches = read_patches(batch, use_colors=self.use_colors, use_scales=self.patch_scale)
        patch_scores = self._score_patches(patches, batch).view(patches.batch_size, patches.num_patches)
        return {"scores": patch_scores.mean(dim=1), "patch_scores": patch_scores}

    def _score_patches(self, patches: PatchInput, batch: dict[str, Tensor]) -> Float[Tensor, " n"]:
        tables = tables_of(batch, patches.points, self.groupings)
        # Colours are coordinates of the first level, not features, so that it sees their differences alone.
        points, features = torch.cat([patches.points, patches.colors], dim=-1), patches.points[..., :0]
        for level, abstraction in enumerate(self.levels):
            points, features = abstraction(points, features, tables[f"centers_{level}"], tables[f"neighbors_{level}_0"])
            points = points[..., :3]
        merged = torch.cat([features, points], dim=-1)
        features = self.global_level(merged.flatten(0, 1)).view(*merged.shape[:2], -1)
        pooled = features.amax(dim=1)
        if self.scale_norm is not None:
            pooled = torch.cat([pooled, self.scale_norm(patches.log_scales())], dim=1)
        return self.head(pooled).squeeze(1)


class SetAbstraction(nn.Module):
    """One level of PointNet++: a small network on every neighbourhood, then the maximum over it."""

    def __init__(self, in_channels: int, widths: Sequence[int], radius: float):
        super().__init__()
        self.radius = radius
        local = MLP([in_channels, *widths], plain_last=False)
        self.conv = PointLayer(local)

    def forward(self, points: Tensor, features: Tensor, centers: Tensor, neighbors: Tensor) -> tuple[Tensor, Tensor]:
        """(n, p, d), (n, p, c), (n, m), (n, m, k) -> centre points (n, m, d), features (n, m, c'); d is 3 or more."""
        center_points = torch.take_along_dim(points, centers[..., None], dim=1)
        unit = torch.cat([points[..., :3] / self.radius, points[..., 3:]], dim=-1)
        unit_centers = torch.take_along_dim(unit, centers[..., None], dim=1)
        return center_points, self.conv(features, unit, unit_centers, neighbors)
