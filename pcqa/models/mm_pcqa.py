"""MM-PCQA: a cloud's patches and its projections, fused by attention; as published, and with attention that attends."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pcqa.models.grouping import MULTI_SCALE
from pcqa.models.patch_input import read_patches
from pcqa.models.pointnet2_msg import WIDTHS, MultiScaleEncoder
from pcqa.models.view_batch import read_views
from shared_engine.timm_backbone import check_crop_size, own_normalisation, vector_backbone


class MMPCQA(nn.Module):
    """Scores a cloud from features of its views and its patches, each of which also attends to the other.

    Architecture: Zhang et al., "MM-PCQA: Multi-Modal Learning for No-reference Point Cloud Quality Assessment", IJCAI
    2023, and its program: ResNet-50 on views, PointNet++ MSG on patches, both brought to `width` channels; two blocks
    of cross attention; views, attended views, attended patches and patches side by side; two linear layers without
    anything between them.

    `attention`:

    - `means`, as published: the views' features are averaged before the attention, and so are the patches'. Each
      attention then has one key, whose weight is 1 whatever the query says: query and key weights are inert, they never
      get a gradient. Since in the program keys and values are a modality's own and the query is the other's, neither
      modality sees the other before the last layers.
    - `tokens`, ours: each view is a token, and so is each patch. Views ask, patches answer, and the other way round;
      only then are tokens averaged.

    Ours in both: patches are normalised one by one, so that the radii of PointNet++ mean what they say (in the program
    all points of a patch fall into every ball), and `patch_scale` gives back what that hides; neighbours are chosen
    without chance. The order of views and that of patches does not matter.

    Args:
        attention: `means` or `tokens`.
        backbone: Name of a timm model for the views.
        pretrained: Start from timm's weights, which are downloaded unless they lie in its cache.
        use_colors: Read colours of patches beside coordinates; the program does not.
        patch_scale: Append the logarithm of a patch's relative radius to its feature.
        width: Channels of a token.
        heads: Of each attention.
        feed_forward: Hidden width of each block.
        dropout: Within the blocks.
        counts: As in `PointNet2MSG`, and so are the next four.
        radii: See there.
        neighbors: See there.
        widths: See there.
        global_widths: See there.
    """

    def __init__(
        self,
        *,
        attention: Literal["means", "tokens"] = "tokens",
        backbone: str = "resnet50",
        pretrained: bool = False,
        use_colors: bool = False,
        patch_scale: bool = True,
        width: int = 1024,
        heads: int = 8,
        feed_forward: int = 2048,
        dropout: float = 0.1,
        counts: Sequence[int] = MULTI_SCALE["counts"],
        radii: Sequence[Sequence[float]] = MULTI_SCALE["radii"],
        neighbors: Sequence[Sequence[int]] = MULTI_SCALE["neighbors"],
        widths: Sequence[Sequence[Sequence[int]]] = WIDTHS,
        global_widths: Sequence[int] = (256, 512, 1024),
    ):
        super().__init__()
        if attention not in ("means", "tokens"):
            raise ValueError(f"attention is 'means' or 'tokens', got {attention!r}")
        self.attention = attention
        self.backbone, view_features = vector_backbone(backbone, pretrained=pretrained)
        self.normalise = own_normalisation(self.backbone)
        self.encoder = MultiScaleEncoder(
            use_colors=use_colors,
            counts=counts,
            radii=radii,
            neighbors=neighbors,
            widths=widths,
            global_widths=global_widths,
        )
        self.scale_norm = nn.BatchNorm1d(1, affine=False) if patch_scale else None
        self.view_token = nn.Sequential(nn.Linear(view_features, width), nn.BatchNorm1d(width))
        self.patch_token = nn.Sequential(nn.Linear(global_widths[-1] + int(patch_scale), width), nn.BatchNorm1d(width))
        self.view_block = CrossAttention(width, heads, feed_forward, dropout)
        self.patch_block = CrossAttention(width, heads, feed_forward, dropout)
        self.head = nn.Sequential(nn.Linear(4 * width, 2 * width), nn.Linear(2 * width, 1))

    def backbone_parameters(self) -> list[nn.Parameter]:
        """The parameters of the network on views, which may learn at a smaller rate."""
        return list(self.backbone.parameters())

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score clouds.

        Args:
            batch: `views` (B, V, 3, H, W) in [0, 1]; `points` (B, K, P, 3) in the unit sphere; with `use_colors` also
                `colors` (B, K, P, 3) in [0, 1]; with `patch_scale` also `scales` (B, K); optionally the tables of
                `group_points`, as in `PointNet2MSG`.

        Returns:
            `scores` (B,); higher is better.
        """
        views = self._view_features(batch)
        patches = self._patch_features(batch)
        if self.attention == "means":
            views, patches = views.mean(dim=1, keepdim=True), patches.mean(dim=1, keepdim=True)
        views, patches = _each(self.view_token, views), _each(self.patch_token, patches)
        if self.attention == "means":
            attended_views = self.view_block(views, query=patches, keys=views)
            attended_patches = self.patch_block(patches, query=views, keys=patches)
        else:
            attended_views = self.view_block(views, query=views, keys=patches)
            attended_patches = self.patch_block(patches, query=patches, keys=views)
        fused = torch.cat([x.mean(dim=1) for x in (views, attended_views, attended_patches, patches)], dim=1)
        return {"scores": self.head(fused).squeeze(1)}

    def _view_features(self, batch: dict[str, Tensor]) -> Float[Tensor, "b v f"]:
        views = read_views(batch)
        check_crop_size(self.backbone, views, option="input.views.crop")
        return self.backbone(self.normalise(views.flatten(0, 1))).unflatten(0, views.shape[:2])

    def _patch_features(self, batch: dict[str, Tensor]) -> Float[Tensor, "b k f"]:
        patches = read_patches(batch, use_colors=self.encoder.use_colors, use_scales=self.scale_norm is not None)
        features = self.encoder(patches, batch)
        if self.scale_norm is not None:
            features = torch.cat([features, self.scale_norm(patches.log_scales())], dim=1)
        return features.unflatten(0, (patches.batch_size, patches.num_patches))


class CrossAttention(nn.Module):
    """A transformer block, normalised after each half: attention added to `own`, then a small network added."""

    def __init__(self, width: int, heads: int, feed_forward: int, dropout: float):
        super().__init__()
        self.attend = nn.MultiheadAttention(width, heads, dropout=dropout, batch_first=True)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, feed_forward), nn.ReLU(), nn.Dropout(dropout), nn.Linear(feed_forward, width)
        )
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.dropout = nn.Dropout(dropout)

    def forward(self, own: Tensor, *, query: Tensor, keys: Tensor) -> Tensor:
        """(B, T, W) tokens to be changed, (B, T, W) that ask, (B, S, W) that answer -> (B, T, W)."""
        answer, _ = self.attend(query, keys, keys, need_weights=False)
        own = self.norms[0](own + self.dropout(answer))
        return self.norms[1](own + self.dropout(self.feed_forward(own)))


def _each(layer: nn.Module, tokens: Float[Tensor, "b t f"]) -> Float[Tensor, "b t w"]:
    """Batch normalisation takes tokens laid one after the other."""
    return layer(tokens.flatten(0, 1)).unflatten(0, tokens.shape[:2])
