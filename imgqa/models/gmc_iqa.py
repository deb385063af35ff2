"""GMC-IQA's mean-opinion network: several opinions formed on four levels of a vision transformer."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, scaled_dot_product_attention

from imgqa.models.crop_scores import mean_over_crops
from imgqa.models.token_attention import TokenAttention
from shared_engine.timm_backbone import check_crop_size, own_normalisation, token_backbone
from shared_engine.timm_import import import_timm

# The grid of tokens for which the head is made: 224 pixels in patches of 8.
GRID = 28


class GMCIQA(nn.Module):
    """RECONSTRUCTION of the mean-opinion network (MoNet) of Chen et al., "GMC-IQA: Exploiting Global-correlation and
    Mean-opinion Consistency for No-reference Image Quality Assessment", arXiv 2401.10511.

    No program is published; layers follow the paper's figure and the same authors' PromptIQA and MobileIQA. Each
    opinion is a module of its own that mixes the maps of four blocks, over places and over channels; another one joins
    the opinions, before a transformer block and a convolutional head. As published (rank 0) 315 million parameters,
    most of them dense maps on tokens of some 3000 numbers. By default these maps have low rank, which is ours: 115
    million parameters, 86 of them the backbone's. Whether the published score ends in a sigmoid is not known; it does
    not here.
    """

    def __init__(
        self,
        *,
        backbone: str = "vit_base_patch8_224",
        pretrained: bool = False,
        blocks: Sequence[int] = (2, 5, 8, 11),
        opinions: int = 3,
        rank: int = 64,
        dropout: float = 0.1,
    ) -> None:
        """Build the backbone, the opinions and the head.

        Args:
            backbone: name of a vision transformer of timm, with or without a tag of weights.
            pretrained: start from timm's weights, which are downloaded unless they lie in its cache.
            blocks: whose tokens are used, counted from 0.
            opinions: number of opinions M.
            rank: of the maps to queries, keys and values; 0 for dense ones, as published.
            dropout: in the attention and the head, in [0, 1).

        Raises:
            InputError: unknown backbone, weights that cannot be had, or a backbone without these blocks.
        """
        super().__init__()
        if len(blocks) == 0 or opinions < 1 or rank < 0:
            raise ValueError(
                f"expected at least one block and opinion and no negative rank, got blocks {list(blocks)}, opinions "
                f"{opinions}, rank {rank}"
            )
        if not 0 <= dropout < 1:
            raise ValueError(f"expected dropout in [0, 1), got {dropout}")
        self.backbone, channels, (height, width) = token_backbone(backbone, pretrained=pretrained, blocks=blocks)
        self.normalise = own_normalisation(self.backbone)
        size = {"channels": channels, "places": height * width, "rank": rank or None, "dropout": dropout}
        self.opinions = nn.ModuleList([_MultiView(maps=len(blocks), **size) for _ in range(opinions)])
        self.fusion = _MultiView(maps=opinions, **size)
        transformer = import_timm().models.vision_transformer
        self.block = transformer.Block(channels, num_heads=max(1, channels // 64), qkv_bias=True)
        self.head = _head(channels, dropout)

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
        maps = torch.stack(self.backbone(self.normalise(crops)), dim=1)
        joined = self.fusion(torch.stack([opinion(maps) for opinion in self.opinions], dim=1))
        mixed = self.block(joined.flatten(2).mT).mT.unflatten(2, joined.shape[2:])
        # Nothing happens to the published grid; others have no place for the head's unpadded convolutions.
        return self.head(adaptive_avg_pool2d(mixed, GRID)).squeeze(1)


class _MultiView(nn.Module):
    """(N, M, C, H, W) to (N, C, H, W): maps seen alone, then all together over places and over channels."""

    def __init__(self, *, maps: int, channels: int, places: int, rank: int | None, dropout: float) -> None:
        super().__init__()
        self.alone = nn.ModuleList([_MapAttention(channels) for _ in range(maps)])
        # Tokens are channels that hold all places, and places that hold all channels.
        self.over_places = TokenAttention(maps * places, rank=rank, dropout=dropout)
        self.over_channels = TokenAttention(maps * channels, rank=rank, dropout=dropout)

    def forward(self, maps: Float[Tensor, "n m c h w"]) -> Float[Tensor, "n c h w"]:
        alone = [attention(level) for attention, level in zip(self.alone, maps.unbind(1), strict=True)]
        joined = torch.stack(alone, dim=1).flatten(3)
        count, channels, places = joined.shape[1:]
        by_channel = self.over_places(joined.transpose(1, 2).flatten(2)).unflatten(2, (count, places))
        by_place = self.over_channels(joined.permute(0, 3, 1, 2).flatten(2)).unflatten(2, (count, channels))
        views = by_channel.mean(dim=2) + by_place.mean(dim=2).mT
        return (views / 2).unflatten(2, maps.shape[3:])


class _MapAttention(nn.Module):
    """x + gain * attention(x) over the places of one map, as in SAGAN (ICML 2019); the gain starts at 0."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(channels, channels // 8), nn.Linear(channels, channels // 8)
        self.value = nn.Linear(channels, channels)
        self.gain = nn.Parameter(torch.zeros(1))

    def forward(self, level: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        places = level.flatten(2).mT
        seen = scaled_dot_product_attention(self.query(places), self.key(places), self.value(places), scale=1.0)
        return level + self.gain * seen.mT.unflatten(2, level.shape[2:])


def _head(channels: int, dropout: float) -> nn.Sequential:
    """(N, C, 28, 28) to (N, 1); no convolution is padded: 28, 24, 12, 10, 5, 3, 1."""
    convolutions: list[nn.Module] = []
    for before, after, kernel, pool in ((channels, 256, 5, 2), (256, 128, 3, 2), (128, 128, 3, 3)):
        convolutions += [nn.Conv2d(before, after, kernel), nn.BatchNorm2d(after), nn.ReLU(), nn.AvgPool2d(pool)]
    return nn.Sequential(
        *convolutions, nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Dropout(dropout), nn.Linear(64, 1)
    )
