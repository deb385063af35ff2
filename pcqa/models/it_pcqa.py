"""IT-PCQA: six faces of a cloud tiled into one image, and a small CNN that keeps features of four scales."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from pcqa.models.view_batch import read_views

ROWS, COLUMNS, SIZE = 2, 3, 224
STRIDES = ((1, 2, 1), (2, 1), (2, 1), (1, 2))
"""Of the convolutions of each scale."""


class ITPCQA(nn.Module):
    """Scores a cloud from one image of 224 pixels that shows its six faces in two rows of three.

    Architecture: Yang et al., "No-Reference Point Cloud Quality Assessment via Domain Adaptation", CVPR 2022, and its
    program: a CNN of nine convolutions (64 channels), means of its maps at 112, 56, 28 and 14 pixels side by side, two
    layers of 256, two linear layers without anything between them. Left out is what the paper is about, the adversary
    that carries labels from images over to clouds: this is its network, trained on clouds and their own labels.

    Args:
        channels: Of each convolution.
        hidden: Hidden width of the regression head.
    """

    def __init__(self, *, channels: int = 64, hidden: int = 128):
        super().__init__()
        before = 3
        scales = []
        for strides in STRIDES:
            layers = []
            for stride in strides:
                layers.append(_layer(before, channels, 3, stride))
                before = channels
            scales.append(nn.Sequential(*layers))
        self.scales = nn.ModuleList(scales)
        features = len(STRIDES) * channels
        self.project = nn.Sequential(_layer(features, features, 1, 1), _layer(features, features, 1, 1))
        self.head = nn.Sequential(nn.Linear(features, hidden), nn.Linear(hidden, 1))

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score projections.

        Args:
            batch: `views` (B, 6, 3, H, W) in [0, 1].

        Returns:
            `scores` (B,); higher is better.
        """
        maps = tile_views(read_views(batch, count=ROWS * COLUMNS))
        means = []
        for scale in self.scales:
            maps = scale(maps)
            means.append(maps.mean(dim=(2, 3), keepdim=True))
        features = self.project(torch.cat(means, dim=1)).flatten(1)
        return {"scores": self.head(features).squeeze(1)}


def tile_views(views: Tensor) -> Tensor:
    """(B, 6, 3, H, W) -> (B, 3, 224, 224): two rows of three views, brought to that size with anti-aliasing."""
    tiled = views.unflatten(1, (ROWS, COLUMNS)).permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)
    return functional.interpolate(tiled, (SIZE, SIZE), mode="bilinear", antialias=True)


def _layer(before: int, after: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, padding=kernel // 2), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )
