"""PQA-Net: a small CNN on six projections that tells the type of distortion and judges quality for each type."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from pcqa.models.view_batch import read_views

VIEWS = 6
SMALLEST = 171
"""Side of views that leaves a pixel of the last map."""


class PQANet(nn.Module):
    """Scores a cloud as the mean of one quality for each type of distortion, weighed by how likely the type is.

    Architecture: Liu et al., "PQA-Net: Deep No Reference Point Cloud Quality Assessment via Multi-View Projection",
    TCSVT 2021, and its program: four convolutions with generalised divisive normalisation (GDN), shared by six views of
    235 pixels; the features of the views side by side, so that their order matters; one head for the type, one for
    quality. Ours: dropout stops in evaluation, where the program leaves it on; and the last map is pooled by its
    maximum whatever its size (it is 2 x 2 at 235 pixels, as published), so that views of 171 pixels or more will do.

    The published training knows each cloud's type and starts with the type alone, see the recipe pqa-net-types. Trained
    by its scores alone, the first head is a gate of four experts whose meaning is left to the data.

    Args:
        types: Number of types of distortion; 4 as published for WPC.
        dropout: Before the last layer of each head.
    """

    def __init__(self, *, types: int = 4, dropout: float = 0.5):
        super().__init__()
        if types < 1:
            raise ValueError(f"expected at least one type of distortion, got {types}")
        self.stages = nn.Sequential(
            nn.Conv2d(3, 8, 5, stride=2, padding=2), GDN(8), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 5, stride=2, padding=2), GDN(16), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 5, stride=2, padding=2), GDN(32), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3), nn.BatchNorm2d(64), GDN(64), nn.AdaptiveMaxPool2d(1),
        )  # fmt: skip
        self.type_head = _head(256, types, dropout)
        self.quality_head = _head(32, types, dropout)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score projections.

        Args:
            batch: `views` (B, 6, 3, H, W) in [0, 1], H and W at least 171.

        Returns:
            `scores` (B,), higher is better; `type_logits` (B, types), whose softmax are the types' probabilities.
        """
        views = read_views(batch, count=VIEWS)
        if min(views.shape[-2:]) < SMALLEST:
            raise ValueError(
                f"PQA-Net needs views of at least {SMALLEST} pixels, got {views.shape[-2]} x {views.shape[-1]}"
            )
        features = self.stages(views.flatten(0, 1)).view(len(views), -1, 1, 1)
        type_logits = self.type_head(features).flatten(1)
        qualities = self.quality_head(features).flatten(1)
        return {"scores": (type_logits.softmax(dim=1) * qualities).sum(dim=1), "type_logits": type_logits}


class GDN(nn.Module):
    """Generalised divisive normalisation: y_i = x_i / sqrt(b_i + sum_j g_ij x_j^2) at each pixel, b > 0 and g >= 0.

    Ballé et al., 2016. Roots of b and g are learned, which keeps them in range; they start at the program's b = 0.01
    and g = 1.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.root_beta = nn.Parameter(torch.full((channels,), 0.1))
        self.root_gamma = nn.Parameter(torch.ones(channels, channels))

    def forward(self, maps: Tensor) -> Tensor:
        """(n, c, h, w) to the same."""
        # Never 0, so that the division and its gradient are finite.
        beta = self.root_beta.square() + 1e-6
        energy = functional.conv2d(maps.square(), self.root_gamma.square()[..., None, None], beta)
        return maps * energy.rsqrt()


def _head(hidden: int, types: int, dropout: float) -> nn.Sequential:
    # Layers on single pixels, as GDN takes maps.
    return nn.Sequential(
        nn.Conv2d(64 * VIEWS, hidden, 1), GDN(hidden), nn.Dropout(dropout), nn.Conv2d(hidden, types, 1)
    )
