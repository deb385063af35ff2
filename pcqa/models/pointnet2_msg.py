"""PointNet++ with multi-scale grouping, as a no-reference quality model on patches."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pcqa.models.graph_layers import MLP
from pcqa.models.grouping import MULTI_SCALE, make_groupings, tables_of
from pcqa.models.patch_input import PatchInput, read_patches
from pcqa.models.pointnet2 import SetAbstraction

WIDTHS = (
    ((32, 32, 64), (64, 64, 128), (64, 96, 128)),
    ((64, 64, 128), (128, 128, 256), (128, 128, 256)),
)


class PointNet2MSG(nn.Module):
    """Scores patches by PointNet++ with multi-scale grouping, and a cloud by the mean of its patches.

    Architecture: Qi et al., "PointNet++", 2017, classification network with multi-scale grouping; the defaults are the
    published widths (1.74 M parameters on coordinates alone). Each level looks at balls of several radii around the
    same centres, with a network for each. What is ours is that of `PointNet2`: the head with one score, `patch_scale`,
    colours as differences, and offsets divided by the radius of their ball.

    Args:
        use_colors: Read colours beside coordinates (3 more channels).
        patch_scale: Append the logarithm of the patch's relative radius to the global feature.
        counts: Centres of each level.
        radii: Radii of each level, in units of the patch's radius.
        neighbors: Neighbours of each centre at each level, one number for each radius.
        widths: Layer widths of each level, a list for each radius.
        global_widths: Layer widths of the global level.
        head: Hidden widths of the regression head.
        dropout: Dropout after each hidden layer of the head.
    """

    def __init__(
        self,
        *,
        use_colors: bool = True,
        patch_scale: bool = True,
        counts: Sequence[int] = MULTI_SCALE["counts"],
        radii: Sequence[Sequence[float]] = MULTI_SCALE["radii"],
        neighbors: Sequence[Sequence[int]] = MULTI_SCALE["neighbors"],
        widths: Sequence[Sequence[Sequence[int]]] = WIDTHS,
        global_widths: Sequence[int] = (256, 512, 1024),
        head: Sequence[int] = (512, 256),
        dropout: float = 0.4,
    ):
        super().__init__()
        self.patch_scale = patch_scale
        self.encoder = MultiScaleEncoder(
            use_colors=use_colors,
            counts=counts,
            radii=radii,
            neighbors=neighbors,
            widths=widths,
            global_widths=global_widths,
        )
        self.scale_norm = nn.BatchNorm1d(1, affine=False) if patch_scale else None
        self.head = MLP([global_widths[-1] + int(patch_scale), *head, 1], dropout=dropout)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score patches.

        Args:
            batch: `points` (B, K, P, 3) in the unit sphere; with `use_colors` also `colors` (B, K, P, 3) in [0, 1];
                with `patch_scale` also `scales` (B, K); optionally the tables of `group_points` as `centers_i`
                (B, K, M) and `neighbors_i_s` (B, K, M, k), else they are found here.

        Returns:
            `scores` (B,) and `patch_scores` (B, K); higher is better.
        """
        patches = read_patches(batch, use_colors=self.encoder.use_colors, use_scales=self.patch_scale)
        features = self.encoder(patches, batch)
        if self.scale_norm is not None:
            features = torch.cat([features, self.scale_norm(patches.log_scales())], dim=1)
        patch_scores = self.head(features).view(patches.batch_size, patches.num_patches)
        return {"scores": patch_scores.mean(dim=1), "patch_scores": patch_scores}


class MultiScaleEncoder(nn.Module):
    """From patches to one feature each: the levels of PointNet++ MSG and its global level. Options: `PointNet2MSG`."""

    def __init__(
        self,
        *,
        use_colors: bool = True,
        counts: Sequence[int] = MULTI_SCALE["counts"],
        radii: Sequence[Sequence[float]] = MULTI_SCALE["radii"],
        neighbors: Sequence[Sequence[int]] = MULTI_SCALE["neighbors"],
        widths: Sequence[Sequence[Sequence[int]]] = WIDTHS,
        global_widths: Sequence[int] = (256, 512, 1024),
    ):
        super().__init__()
        self.use_colors = use_colors
        self.groupings = make_groupings(counts=counts, radii=radii, neighbors=neighbors)
        if [len(level) for level in widths] != [len(grouping.radii) for grouping in self.groupings]:
            raise ValueError(f"widths needs a list of layers for each radius, got {widths} for radii {radii}")
        channels = 3 if use_colors else 0
        levels = []
        for grouping, level_widths in zip(self.groupings, widths, strict=True):
            scales = [
                SetAbstraction(3 + channels, layers, radius)
                for layers, radius in zip(level_widths, grouping.radii, strict=True)
            ]
            levels.append(nn.ModuleList(scales))
            channels = sum(layers[-1] for layers in level_widths)
        self.levels = nn.ModuleList(levels)
        self.global_level = MLP([3 + channels, *global_widths], plain_last=False)

    def forward(self, patches: PatchInput, batch: dict[str, Tensor]) -> Float[Tensor, "n c"]:
        """One feature a patch; `batch` may bring the tables of `group_points`."""
        tables = tables_of(batch, patches.points, self.groupings)
        # As in PointNet2: colours are coordinates of the first level, so that it sees their differences alone.
        points, features = torch.cat([patches.points, patches.colors], dim=-1), patches.points[..., :0]
        for level, scales in enumerate(self.levels):
            assert isinstance(scales, nn.ModuleList)
            found = [
                abstraction(points, features, tables[f"centers_{level}"], tables[f"neighbors_{level}_{scale}"])
                for scale, abstraction in enumerate(scales)
            ]
            points, features = found[0][0][..., :3], torch.cat([pooled for _, pooled in found], dim=-1)
        merged = torch.cat([features, points], dim=-1)
        return self.global_level(merged.flatten(0, 1)).view(*merged.shape[:2], -1).amax(dim=1)
