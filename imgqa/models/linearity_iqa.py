"""LinearityIQA's network: two levels of a backbone, each with its own head, and a joint head."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from rankqa_datasets.errors import InputError
from shared_engine.timm_backbone import check_crop_size, map_backbone, own_normalisation


class LinearityIQA(nn.Module):
    """The network of Li, Jiang and Jiang, "Norm-in-Norm Loss with Faster Convergence and Better Performance for Image
    Quality Assessment", ACM MM 2020, as in the program lidq92/LinearityIQA.

    The last two feature maps of a convolutional backbone are averaged over the crop and each reduced to 64 numbers; a
    linear head scores each level alone, and a third both together. With the published backbone, ResNeXt-101 32x8d,
    90.5 million parameters. Published training weighs the losses of the three heads 0.1, 0.1 and 1, as the recipe does;
    trained with the joint score alone, the two level heads learn nothing.
    """

    def __init__(self, *, backbone: str = "resnext101_32x8d", pretrained: bool = False) -> None:
        """Build the backbone and the heads.

        Args:
            backbone: name of a convolutional timm model, with or without a tag of weights.
            pretrained: start from timm's weights, which are downloaded unless they lie in its cache.

        Raises:
            InputError: unknown backbone, weights that cannot be had, or a backbone without two feature maps.
        """
        super().__init__()
        self.backbone, channels = map_backbone(backbone, pretrained=pretrained, levels=(-2, -1))
        self.normalise = own_normalisation(self.backbone)
        self.reduce = nn.ModuleList([_reduction(count) for count in channels])
        self.level_heads = nn.ModuleList([nn.Linear(64, 1) for _ in channels])
        self.joint_head = nn.Linear(64 * len(channels), 1)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score `images` (B, K, 3, H, W) in [0, 1].

        Returns:
            `scores` (B,) of the joint head, `early_scores` (B,) and `late_scores` (B,) of the heads of the earlier and
            the last level alone; higher is better.

        Raises:
            InputError: a single crop in training, which batch normalisation cannot take; or the backbone takes crops
                of another size only.
        """
        images = batch["images"]
        check_crop_size(self.backbone, images)
        count = images.shape[:2]
        if self.training and count.numel() < 2:
            raise InputError(
                "this model normalises over the batch and cannot train on a batch of one crop: set engine.drop_last = "
                "true, or input.train_crops to 2 or more"
            )
        scores = self._score_crops(images.flatten(0, 1)).unflatten(0, count).mean(dim=1)
        early, late, joint = scores.unbind(dim=1)
        # Distributed training wants a gradient for every parameter, also where no loss asks for the level scores.
        return {"scores": joint + 0 * (early + late), "early_scores": early, "late_scores": late}

    def backbone_parameters(self) -> list[nn.Parameter]:
        """The parameters that get the smaller learning rate."""
        return list(self.backbone.parameters())

    def _score_crops(self, crops: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 3): each level, then both."""
        maps = self.backbone(self.normalise(crops))
        levels = [reduce(level.mean(dim=(2, 3))) for reduce, level in zip(self.reduce, maps, strict=True)]
        alone = [head(level) for head, level in zip(self.level_heads, levels, strict=True)]
        return torch.cat([*alone, self.joint_head(torch.cat(levels, dim=1))], dim=1)


def _reduction(channels: int) -> nn.Sequential:
    widths = [channels, 1024, 256, 64]
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.BatchNorm1d(after)]
    return nn.Sequential(*layers, nn.ReLU())
