"""A 2D network shared by all projections of a cloud."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from pcqa.models.small_cnn import SmallCNN
from pcqa.models.view_batch import read_masks, read_views
from shared_engine.channel_norm import ChannelNorm

SMALL = "small"


class MultiView(nn.Module):
    """Scores a cloud from the mean feature of its projections.

    Every view goes through the same 2D network. The last feature map is pooled by its mean and standard deviation over
    the cloud's silhouette only, so that the empty background, whose share depends on the shape and not on the quality,
    carries no weight; the view features are averaged and a small head gives the score. The order of the views does not
    matter.

    Args:
        backbone: `small`, a CNN of our own that trains from scratch on a CPU, or the name of a timm model.
        pretrained: Fetch timm's weights for the backbone.
        widths: Channels of the stages of the small CNN; each halves the resolution.
        hidden: Hidden width of the regression head.
        dropout: Dropout after the hidden layer.
    """

    def __init__(
        self,
        *,
        backbone: str = SMALL,
        pretrained: bool = False,
        widths: Sequence[int] = (16, 32, 64, 128),
        hidden: int = 64,
        dropout: float = 0.2,
    ):
        super().__init__()
        if backbone == SMALL:
            if pretrained:
                raise ValueError(
                    "the small backbone has no pretrained weights: set pretrained = false or name a timm model"
                )
            self.backbone: nn.Module = SmallCNN(widths)
            self.channels = widths[-1]
            self.normalise: nn.Module = ChannelNorm(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
        else:
            self.backbone, self.channels, self.normalise = _timm_features(backbone, pretrained=pretrained)
        self.is_small = backbone == SMALL
        self.head = nn.Sequential(
            nn.Linear(2 * self.channels, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 1)
        )

    def backbone_parameters(self) -> list[nn.Parameter]:
        """The parameters of a timm backbone; none for the small CNN, which has nothing learned to protect."""
        return [] if self.is_small else list(self.backbone.parameters())

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score projections.

        Args:
            batch: `views` (B, V, 3, H, W) in [0, 1]; optionally `masks` (B, V, H, W), 1 where the cloud is.

        Returns:
            `scores` (B,); higher is better.
        """
        views = read_views(batch)
        maps = self.backbone(self.normalise(views.flatten(0, 1)))
        if not self.is_small:
            maps = maps[-1]
        if maps.shape[1] != self.channels:
            # Some timm families, Swin among them, keep channels last.
            maps = maps.permute(0, 3, 1, 2)
        pooled = pool_statistics(maps, read_masks(batch).flatten(0, 1)).view(*views.shape[:2], -1).mean(dim=1)
        return {"scores": self.head(pooled).squeeze(1)}


def pool_statistics(maps: Tensor, masks: Tensor) -> Tensor:
    """Mean and standard deviation of each channel over a mask.

    The mask is averaged down to the size of the maps, so a cell counts by the share of it that the cloud covers. A view
    that shows nothing gives zeros.

    Args:
        maps: (n, c, h, w).
        masks: (n, H, W) in [0, 1].

    Returns:
        (n, 2 * c): means, then standard deviations.
    """
    weights = functional.adaptive_avg_pool2d(masks[:, None].to(maps.dtype), (maps.shape[-2], maps.shape[-1]))
    weights = weights / weights.sum(dim=(2, 3), keepdim=True).clamp_min(torch.finfo(maps.dtype).tiny)
    mean = (maps * weights).sum(dim=(2, 3))
    variance = ((maps - mean[..., None, None]).square() * weights).sum(dim=(2, 3))
    # The root has an infinite slope at zero, which a constant channel would turn into NaN.
    return torch.cat([mean, (variance + 1e-8).sqrt()], dim=1)


def _timm_features(name: str, *, pretrained: bool) -> tuple[nn.Module, int, nn.Module]:
    """Backbone that returns its last feature map in a list, its channels, and the normalisation of its inputs."""
    from shared_engine.timm_backbone import map_backbone, own_normalisation

    backbone, channels = map_backbone(name, pretrained=pretrained, levels=(-1,))
    return backbone, channels[-1], own_normalisation(backbone)
