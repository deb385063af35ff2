"""Standardise colour channels inside the model, so that images come in [0, 1] everywhere."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ChannelNorm(nn.Module):
    """(image - mean) / std by channel, with constants that belong to the architecture and not to its weights."""

    mean: Tensor
    std: Tensor

    def __init__(self, *, mean: Sequence[float], std: Sequence[float]) -> None:
        """Fix the constants, one for each of the three channels."""
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Standardise (..., 3, H, W)."""
        # One pass over the images, in place of two with a copy between them.
        return torch.addcmul(-self.mean / self.std, images, 1 / self.std)
