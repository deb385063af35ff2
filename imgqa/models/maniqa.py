"""MANIQA: four blocks of a vision transformer, attention over channels, windowed attention over places."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import relu

from imgqa.models.crop_scores import mean_over_crops
from imgqa.models.token_attention import TokenAttention
from shared_engine.timm_backbone import check_crop_size, own_normalisation, token_backbone
from shared_engine.timm_import import import_timm

WINDOW = 4
# Blocks of each of the two stages of a Swin module, with the rates of stochastic depth.
STAGES = ((0.0, 0.1 / 3), (0.2 / 3, 0.1))
HEADS = 4
HIDDEN = 768
SCALE = 0.8


class MANIQA(nn.Module):
    """The network of Yang et al., "MANIQA: Multi-dimension Attention Network for No-Reference Image Quality
    Assessment", CVPRW 2022, after the program IIGROUP/MANIQA.

    Every place of the last map gives a score and a weight; the score of a crop is their weighted mean. Different from
    the program: the attention over channels leaves tokens in place where the program mixes axes (`TokenAttention`);
    the backbone ends after the last block that is used, and a convolution a stage that the program builds without using
    it is left out; the scores of places have no ReLU, which suits targets in [0, 1] alone. 114 million parameters with
    the published backbone. Swin blocks are timm's.
    """

    def __init__(
        self,
        *,
        backbone: str = "vit_base_patch8_224",
        pretrained: bool = False,
        blocks: Sequence[int] = (6, 7, 8, 9),
        dropout: float = 0.1,
    ) -> None:
        """Build the backbone, the two stages and the heads.

        Args:
            backbone: name of a vision transformer of timm, with or without a tag of weights.
            pretrained: start from timm's weights, which are downloaded unless they lie in its cache.
            blocks: whose tokens are used, counted from 0.
            dropout: in the attention over channels, before the Swin blocks and in the heads, in [0, 1).

        Raises:
            InputError: unknown backbone, weights that cannot be had, or a backbone without these blocks.
        """
        super().__init__()
        if len(blocks) == 0:
            raise ValueError("expected at least one block")
        if not 0 <= dropout < 1:
            raise ValueError(f"expected dropout in [0, 1), got {dropout}")
        self.backbone, channels, grid = token_backbone(backbone, pretrained=pretrained, blocks=blocks)
        self.normalise = own_normalisation(self.backbone)
        widths = (channels, channels // 2)
        self.stages = nn.Sequential(
            _Stage(len(blocks) * channels, widths[0], grid, dropout), _Stage(widths[0], widths[1], grid, dropout)
        )
        self.score = _place_head(widths[1], dropout)
        self.weight = nn.Sequential(_place_head(widths[1], dropout), nn.Sigmoid())

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score `images` (B, K, 3, H, W) in [0, 1], of the size that the backbone takes.

        Returns:
            `scores` (B,), higher is better.

        Raises:
            InputError: crops of another size.
        """
        check_crop_size(self.backbone, batch["images"])
        return {"scores": mean_over_crops(self._score_crops, batch["images"])}

    def backbone_parameters(self) -> list[nn.Parameter]:
        """The parameters that get the smaller learning rate."""
        return list(self.backbone.parameters())

    def _score_crops(self, crops: Tensor) -> Tensor:
        maps = torch.cat(self.backbone(self.normalise(crops)), dim=1)
        places = self.stages(maps).flatten(2).mT
        weights = self.weight(places)
        return ((self.score(places) * weights).sum(dim=1) / weights.sum(dim=1)).squeeze(1)


class _Stage(nn.Module):
    """(N, C, H, W) to (N, F, H, W): attention over channels twice, fewer channels, attention in windows."""

    def __init__(self, before: int, after: int, grid: tuple[int, int], dropout: float) -> None:
        super().__init__()
        self.channels = nn.Sequential(*(TokenAttention(grid[0] * grid[1], dropout=dropout) for _ in range(2)))
        self.reduce = nn.Conv2d(before, after, 1)
        self.dropout = nn.Dropout(dropout)
        self.windows = nn.Sequential(*(_ScaledSwin(after, grid, rates) for rates in STAGES))

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f h w"]:
        seen = self.channels(maps.flatten(2)).unflatten(2, maps.shape[2:])
        return self.windows(self.dropout(self.reduce(seen)))


class _ScaledSwin(nn.Module):
    """x + 0.8 * relu(conv(swin blocks(x))), every other block with shifted windows."""

    def __init__(self, channels: int, grid: tuple[int, int], drop_rates: Sequence[float]) -> None:
        super().__init__()
        swin = import_timm().models.swin_transformer
        self.blocks = nn.Sequential(
            *(
                swin.SwinTransformerBlock(
                    channels,
                    grid,
                    num_heads=HEADS,
                    window_size=WINDOW,
                    shift_size=index % 2 * WINDOW // 2,
                    mlp_ratio=HIDDEN / channels,
                    drop_path=rate,
                )
                for index, rate in enumerate(drop_rates)
            )
        )
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        # timm's blocks have the channels last.
        seen = self.blocks(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return maps + SCALE * relu(self.convolution(seen))


def _place_head(channels: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Dropout(dropout), nn.Linear(channels, 1))
