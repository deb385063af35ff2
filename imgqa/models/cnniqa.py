"""CNNIQA: one convolution, max and min pooling, two hidden layers, on locally normalised grey patches."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from imgqa.models.crop_scores import mean_over_crops
from imgqa.models.local_mean import local_mean

PATCH = 32
KERNEL = 7


class CNNIQA(nn.Module):
    """The network of Kang, Ye, Li and Doermann, "Convolutional Neural Networks for No-Reference Image Quality
    Assessment", CVPR 2014; 724,901 parameters.

    A crop is turned to grey, normalised locally and tiled into 32 x 32 patches that do not overlap; a rest at the
    right and lower edge that fills no patch is not used. Each patch is scored, and the score of the image is the mean
    over all patches of all crops. A crop of the size of the whole image is thus scored as in the paper. Not given
    there and chosen here: luma weights of ITU-R BT.601, a normalisation constant of one grey level of 255, mirrored
    borders.
    """

    def __init__(self, *, dropout: float = 0.5) -> None:
        """Build the network.

        Args:
            dropout: share of the second hidden layer's inputs dropped in training, in [0, 1).
        """
        super().__init__()
        if not 0 <= dropout < 1:
            raise ValueError(f"expected dropout in [0, 1), got {dropout}")
        self.filters = nn.Linear(KERNEL**2, 50)
        self.head = nn.Sequential(
            nn.Linear(100, 800), nn.ReLU(), nn.Dropout(dropout), nn.Linear(800, 800), nn.ReLU(), nn.Linear(800, 1)
        )

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score `images` (B, K, 3, H, W) in [0, 1], H and W at least 32.

        Returns:
            `scores` (B,), higher is better.

        Raises:
            ValueError: crops smaller than a patch.
        """
        height, width = batch["images"].shape[-2:]
        if min(height, width) < PATCH:
            raise ValueError(f"CNNIQA needs crops of at least {PATCH} x {PATCH} pixels, got {width} x {height}")
        return {"scores": mean_over_crops(self._score_crops, batch["images"])}

    def _score_crops(self, crops: Tensor) -> Tensor:
        patches = _tiles(normalise_locally(_luma(crops)))
        # The convolution as a product with every window: more than twice as fast on a CPU as one on a single channel.
        responses = self.filters(_windows(patches.flatten(0, 1)))
        pooled = torch.cat([responses.max(dim=1).values, responses.min(dim=1).values], dim=1)
        return self.head(pooled).view(patches.shape[:2]).mean(dim=1)


def normalise_locally(grey: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 h w"]:
    """(I - mean) / (deviation + 1/255) with mean and standard deviation over a 7 x 7 window around each pixel.

    Args:
        grey: values in [0, 1], at least 4 x 4 pixels.

    Returns:
        Same shape; borders see the mirrored image.
    """
    # About a common offset: the plain mean of squares loses flat bright regions to rounding.
    centred = grey - grey.mean(dim=(2, 3), keepdim=True)
    mean = local_mean(centred)
    variance = local_mean(centred.square()) - mean.square()
    # Rounding may leave less than nothing; the small floor also keeps the slope of the root finite.
    return (centred - mean) / (variance.clamp_min(1e-10).sqrt() + 1 / 255)


def _luma(rgb: Tensor) -> Tensor:
    weights = rgb.new_tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    return (rgb * weights).sum(dim=1, keepdim=True)


def _tiles(grey: Tensor) -> Tensor:
    """(N, 1, H, W) to (N, P, 32, 32): patches side by side."""
    return grey[:, 0].unfold(1, PATCH, PATCH).unfold(2, PATCH, PATCH).flatten(1, 2)


def _windows(patches: Tensor) -> Tensor:
    """(N, 32, 32) to (N, 26 * 26, 49): the input of the filters at each place."""
    return patches.unfold(1, KERNEL, 1).unfold(2, KERNEL, 1).flatten(3, 4).flatten(1, 2)
