"""A plain CNN that trains from scratch on a CPU."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn


class SmallCNN(nn.Module):
    """Stages of a strided 3 x 3 convolution (5 x 5 first), batch normalisation and ReLU; each halves the resolution."""

    def __init__(self, widths: Sequence[int]):
        super().__init__()
        if not widths or min(widths) < 1:
            raise ValueError(f"widths needs at least one positive channel count, got {widths}")
        layers: list[nn.Module] = []
        for stage, (before, after) in enumerate(zip((3, *widths[:-1]), widths, strict=True)):
            size = 5 if stage == 0 else 3
            layers += [
                nn.Conv2d(before, after, size, stride=2, padding=size // 2, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            ]
        self.stages = nn.Sequential(*layers)

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c y x"]:
        """Normalised images to the last feature map."""
        return self.stages(images)
