"""DB-CNN: features of synthetic distortions and of photographs, pooled bilinearly."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize

from imgqa.models.crop_scores import mean_over_crops
from shared_engine.timm_backbone import check_crop_size, map_backbone, own_normalisation

# Of S-CNN: input channels, then the channels after each convolution, and the strides.
WIDTHS = (3, 48, 48, 64, 64, 64, 64, 128, 128, 128)
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 2)


class DBCNN(nn.Module):
    """The network of Zhang et al., "Blind Image Quality Assessment Using a Deep Bilinear Convolutional Neural
    Network", TCSVT 2020, layers as in the program zwx8981/DBCNN-PyTorch; 15.3 million parameters with VGG-16.

    Products of every feature of VGG-16 with every feature of S-CNN, averaged over places, their root, scaled to length
    1, and one linear layer. The published S-CNN was trained to tell synthetic distortions apart beforehand; its weights
    are not at hand, so it starts untrained here.
    """

    def __init__(self, *, backbone: str = "vgg16", pretrained: bool = False) -> None:
        """Build both streams and the head.

        Args:
            backbone: name of a convolutional timm model, with or without a tag of weights; its last feature map but
                one is used, for VGG-16 that before the last pooling.
            pretrained: start from timm's weights, which are downloaded unless they lie in its cache.

        Raises:
            InputError: unknown backbone, weights that cannot be had, or a backbone without feature maps.
        """
        super().__init__()
        self.backbone, (channels,) = map_backbone(backbone, pretrained=pretrained, levels=(-2,))
        self.normalise = own_normalisation(self.backbone)
        stages = [_stage(*widths, stride) for widths, stride in zip(pairwise(WIDTHS), STRIDES, strict=True)]
        self.distortions = nn.Sequential(*stages)
        self.head = nn.Linear(channels * WIDTHS[-1], 1)
        self.distortions.apply(_initialise)
        _initialise(self.head)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score `images` (B, K, 3, H, W) in [0, 1], H and W at least 16.

        Returns:
            `scores` (B,), higher is better.

        Raises:
            InputError: the backbone takes crops of another size only.
        """
        check_crop_size(self.backbone, batch["images"])
        return {"scores": mean_over_crops(self._score_crops, batch["images"])}

    def backbone_parameters(self) -> list[nn.Parameter]:
        """The parameters that get the smaller learning rate."""
        return list(self.backbone.parameters())

    def _score_crops(self, crops: Tensor) -> Tensor:
        images = self.normalise(crops)
        distortions = self.distortions(images)
        # VGG's features are past their ReLU already; those of other backbones may be negative and have no root.
        contents = self.backbone(images)[0].relu()
        if distortions.shape[2:] != contents.shape[2:]:
            distortions = interpolate(distortions, contents.shape[2:], mode="bilinear", align_corners=True)
        # The mean over places: divided before the sum, which half precision might not hold.
        products = (contents.flatten(2) / contents[0, 0].numel()) @ distortions.flatten(2).mT
        # The offset keeps the slope of the root finite; half precision would round it to nothing.
        return self.head(normalize((products.flatten(1).float() + 1e-8).sqrt())).squeeze(1)


def _stage(before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride=stride, padding=1), nn.BatchNorm2d(after), nn.ReLU())


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight)
        nn.init.zeros_(module.bias)  # pyright: ignore[reportArgumentType]
