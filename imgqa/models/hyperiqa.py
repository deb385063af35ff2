"""HyperIQA: a network that writes, for each image, the weights of the small network which scores it."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from imgqa.models.crop_scores import mean_over_crops
from shared_engine.timm_backbone import check_crop_size, map_backbone, own_normalisation

# Widths of the scoring network, from its input on; the last layer, to the score, comes on top.
TARGET = (224, 112, 56, 28, 14)
HYPER_CHANNELS = 112
GRID = 7
# Of the local distortion features of each level: channels after reduction (None: all), cells a side, numbers returned.
LOCAL = ((16, 8, 16), (32, 4, 16), (64, 2, 16), (None, 1, TARGET[0] - 3 * 16))


class HyperIQA(nn.Module):
    """The network of Su et al., "Blindly Assess Image Quality in the Wild Guided by a Self-Adaptive Hyper Network",
    CVPR 2020, layers as in the program SSL92/hyperIQA; 27.4 million parameters with ResNet-50.

    The last feature map becomes the weights and biases of four layers with sigmoids and a linear fifth; their input
    are 224 numbers on local distortions, taken from all four levels. The program takes crops of 224 pixels; here the
    feature maps of other crops are averaged to the grids that those have.
    """

    def __init__(self, *, backbone: str = "resnet50", pretrained: bool = False) -> None:
        """Build the backbone and the networks on it.

        Args:
            backbone: name of a convolutional timm model with at least four feature maps.
            pretrained: start from timm's weights, which are downloaded unless they lie in its cache.

        Raises:
            InputError: unknown backbone, weights that cannot be had, or a backbone without four feature maps.
        """
        super().__init__()
        self.backbone, channels = map_backbone(backbone, pretrained=pretrained, levels=(-4, -3, -2, -1))
        self.normalise = own_normalisation(self.backbone)
        self.local = nn.ModuleList(
            [_LocalDistortions(count, *settings) for count, settings in zip(channels, LOCAL, strict=True)]
        )
        self.reduce = nn.Sequential(
            nn.Conv2d(channels[-1], 1024, 1),
            nn.ReLU(),
            nn.Conv2d(1024, 512, 1),
            nn.ReLU(),
            nn.Conv2d(512, HYPER_CHANNELS, 1),
            nn.ReLU(),
        )
        # The outputs of a convolution at the 7 x 7 places, all together, are the weights of a layer.
        self.weights = nn.ModuleList(
            [nn.Conv2d(HYPER_CHANNELS, before * after // GRID**2, 3, padding=1) for before, after in pairwise(TARGET)]
        )
        self.biases = nn.ModuleList([nn.Linear(HYPER_CHANNELS, after) for after in TARGET[1:]])
        self.last_weights = nn.Linear(HYPER_CHANNELS, TARGET[-1])
        self.last_bias = nn.Linear(HYPER_CHANNELS, 1)
        for module in (*self.weights, *self.biases, self.last_weights, self.last_bias, self.local):
            module.apply(_initialise)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score `images` (B, K, 3, H, W) in [0, 1].

        Returns:
            `scores` (B,), higher is better.

        Raises:
            InputError: the backbone takes crops of another size only.
        """
        check_crop_size(self.backbone, batch["images"])
        return {"scores": mean_over_crops(self._score_crops, batch["images"])}

    def backbone_parameters(self) -> list[nn.Parameter]:
        """The parameters that get the smaller learning rate: with the backbone its local features, as published."""
        return [*self.backbone.parameters(), *self.local.parameters()]

    def _score_crops(self, crops: Tensor) -> Tensor:
        maps = self.backbone(self.normalise(crops))
        features = torch.cat([local(level) for local, level in zip(self.local, maps, strict=True)], dim=1)
        reduced = self.reduce(adaptive_avg_pool2d(maps[-1], GRID))
        mean = reduced.mean(dim=(2, 3))
        for weights, biases in zip(self.weights, self.biases, strict=True):
            features = _layer(features, weights(reduced), biases(mean)).sigmoid()
        return _layer(features, self.last_weights(mean), self.last_bias(mean)).squeeze(1)


class _LocalDistortions(nn.Module):
    """(N, C, H, W) to (N, F): average over the cells of a grid, reduce the channels, one linear layer on all."""

    def __init__(self, channels: int, reduced: int | None, cells: int, features: int) -> None:
        super().__init__()
        self.cells = cells
        self.reduce = nn.Identity() if reduced is None else nn.Conv2d(channels, reduced, 1, bias=False)
        self.join = nn.Linear((reduced or channels) * cells**2, features)

    def forward(self, level: Tensor) -> Tensor:
        # A 1 x 1 convolution without bias may as well come after the averages, at a fraction of the cost.
        return self.join(self.reduce(adaptive_avg_pool2d(level, self.cells)).flatten(1))


def _layer(features: Float[Tensor, "n i"], weights: Tensor, biases: Float[Tensor, "n o"]) -> Float[Tensor, "n o"]:
    """A linear layer with weights of its own for each row; `weights` holds O * I numbers a row, in any shape."""
    matrix = weights.reshape(len(features), biases.shape[1], features.shape[1])
    return torch.baddbmm(biases[:, :, None], matrix, features[:, :, None]).squeeze(2)


def _initialise(module: nn.Module) -> None:
    # As in the program; biases have PyTorch's default.
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight)
