"""A small colour network that trains from scratch within minutes on one core."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from imgqa.models.crop_scores import mean_over_crops
from imgqa.models.local_mean import local_mean
from shared_engine.channel_norm import ChannelNorm


class CompactCNN(nn.Module):
    """Convolution stages, mean and deviation of the last feature map over the crop, two linear layers.

    This design is ours, not a published one; 401,953 parameters with the default options. The first convolution takes
    disjoint 4 x 4 tiles: that makes large crops affordable, and 32 filters on 48 numbers still see single-pixel noise.
    The deviation beside the mean tells an image that is soft in places from one that is soft everywhere.
    """

    def __init__(
        self,
        *,
        widths: Sequence[int] = (32, 64, 128, 240),
        stride: int = 4,
        local_contrast: bool = False,
        hidden: int = 64,
        dropout: float = 0.0,
    ) -> None:
        """Build the network.

        Args:
            widths: channels after each stage; the first stage divides the sides by `stride`, every further one by 2.
            stride: of the first convolution, whose kernel is 4 x 4; 1 to 4. Smaller costs more and sees finer detail.
            local_contrast: look at the image less its local mean, plain and divided by the local deviation, in place
                of its colours. It forgets what is shown, so few contents suffice, and with it exposure and tint.
            hidden: width of the head's hidden layer.
            dropout: share of the pooled features dropped in training, in [0, 1).
        """
        super().__init__()
        if len(widths) == 0 or min(*widths, hidden) < 1:
            raise ValueError(f"expected positive widths and hidden, got widths {list(widths)}, hidden {hidden}")
        if not 1 <= stride <= 4:
            raise ValueError(f"expected a stride from 1 to 4, got {stride}")
        if not 0 <= dropout < 1:
            raise ValueError(f"expected dropout in [0, 1), got {dropout}")
        self.input = _LocalContrast() if local_contrast else ChannelNorm(mean=(0.5,) * 3, std=(0.25,) * 3)
        channels = 6 if local_contrast else 3
        stages = [_stage(channels, widths[0], kernel=4, stride=stride, padding=(4 - stride) // 2)]
        stages += [_stage(before, after, kernel=3, stride=2, padding=1) for before, after in pairwise(widths)]
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(2 * widths[-1], hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score `images` (B, K, 3, H, W) in [0, 1], H and W at least 4.

        Returns:
            `scores` (B,), higher is better.
        """
        return {"scores": mean_over_crops(self._score_crops, batch["images"])}

    def _score_crops(self, crops: Tensor) -> Tensor:
        # Channels-last convolutions are a tenth faster on a CPU.
        features = self.stages(self.input(crops).contiguous(memory_format=torch.channels_last))
        variance, mean = torch.var_mean(features, dim=(2, 3), correction=0)
        # The offset keeps the slope of the root finite where a channel is off everywhere.
        return self.head(torch.cat([mean, (variance + 1e-5).sqrt()], dim=1)).squeeze(1)


class _LocalContrast(nn.Module):
    """(N, 3, H, W) to (N, 6, H, W): the residual to the local mean, and the same over its local size."""

    def forward(self, images: Tensor) -> Tensor:
        residual = images - local_mean(images)
        energy = local_mean(residual.square()).mean(dim=1, keepdim=True)
        # About two grey levels keep flat regions quiet; the residual is of order 1/16, features should be of order 1.
        return torch.cat([residual / ((energy + 1e-10).sqrt() + 2 / 255), 16 * residual], dim=1)


def _stage(before: int, after: int, *, kernel: int, stride: int, padding: int) -> nn.Sequential:
    convolution = nn.Conv2d(before, after, kernel, stride=stride, padding=padding, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU())
