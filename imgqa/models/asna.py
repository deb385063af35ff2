"""ASNA: a Siamese network whose decoder sees the differences of the two images' features, with attention."""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from imgqa.models.crop_scores import mean_over_crops
from imgqa.models.reference_pairs import reference_pairs
from rankqa_datasets.errors import InputError

# Four poolings by two: the sides of a crop must be multiples of this.
_REDUCTION = 16


class ASNA(nn.Module):
    """The attention model of Ayyoubzadeh and Royat, "(ASNA) An Attention-based Siamese-Difference Neural Network with
    Surrogate Ranking Loss function for Perceptual Image Quality Assessment", CVPRW 2021; 528,367 parameters.

    Layers as in the authors' program (smehdia/NTIRE2021-IQA-MACS, configs_attention), no pretrained backbone. The
    decoder starts from the deepest features of the second image alone, so the order counts; the program's data and its
    generator disagree about it. Here the second image is the distorted one, as the generator has it. Channels are
    RGB; there, BGR.
    """

    full_reference = True

    def __init__(self, *, crop: int = 288) -> None:
        """Build the network.

        Args:
            crop: side of the crops in pixels, a multiple of 16; the first dense layer has a weight for each place.
        """
        super().__init__()
        if crop < _REDUCTION or crop % _REDUCTION:
            raise ValueError(f"expected crops of a positive multiple of {_REDUCTION} pixels, got {crop}")
        self.crop = crop
        self.encoder = nn.ModuleList(
            [
                nn.Sequential(_same_conv(3, 3, 5), *_stage(3, 8, 5)),
                nn.Sequential(nn.MaxPool2d(2), *_stage(8, 16, 5)),
                nn.Sequential(nn.MaxPool2d(2), *_stage(16, 32, 3)),
                nn.Sequential(nn.MaxPool2d(2), *_stage(32, 64, 3)),
            ]
        )
        self.bottom = nn.Sequential(nn.MaxPool2d(2), *_stage(64, 64, 3), nn.Upsample(scale_factor=2))
        # Each takes the features so far beside the difference of its level, from the deepest to the shallowest.
        self.decoder = nn.ModuleList(
            [
                nn.Sequential(*_stage(64 + 64, 64, 3), nn.Upsample(scale_factor=2)),
                nn.Sequential(*_stage(64 + 32, 32, 3), nn.Upsample(scale_factor=2)),
                nn.Sequential(*_stage(32 + 16, 16, 3), nn.Upsample(scale_factor=2)),
                nn.Sequential(nn.Conv2d(16 + 8, 32, 3, stride=4), *_activation(32), _EvenStride(), *_activation(32)),
            ]
        )
        self.attention = _Attention(32, 8)
        self.residual = nn.Sequential(*(_Residual(8) for _ in range(3)))
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(8 * (crop // 8) ** 2, 32), nn.ReLU(), nn.Linear(32, 1), nn.Tanh(), nn.Linear(1, 1)
        )
        self.apply(_initialise)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score `images` against `references`, both (B, K, 3, crop, crop) in [0, 1].

        Returns:
            `scores` (B,), higher is better.

        Raises:
            InputError: no references, or crops of another size.
        """
        pairs = reference_pairs(batch)
        height, width = pairs.shape[-2:]
        if (height, width) != (self.crop, self.crop):
            raise InputError(
                f"this ASNA takes crops of {self.crop} x {self.crop} pixels, got {height} x {width}: set input.crop = "
                f"{self.crop}, or model.options.crop to a multiple of {_REDUCTION}"
            )
        return {"scores": mean_over_crops(self._score_pairs, pairs)}

    def _score_pairs(self, pairs: Tensor) -> Tensor:
        features = torch.cat(pairs.chunk(2, dim=1)) * 2 - 1
        differences, image = [], features
        for stage in self.encoder:
            features = stage(features)
            reference, image = features.chunk(2)
            differences.append((reference - image).abs())
        features = self.bottom(image)
        for stage, difference in zip(self.decoder, reversed(differences), strict=True):
            features = stage(torch.cat([features, difference], dim=1))
        return self.head(self.residual(self.attention(features))).squeeze(1)


class _Attention(nn.Module):
    """(N, C, H, W) to (N, F, H, W): features weighted by channel and by place, beside the input."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _same_conv(channels, filters, 3),
            nn.ReLU(),
            _batch_norm(filters),
            _same_conv(filters, filters, 3),
        )
        self.channel = _gate(filters)
        self.spatial = _gate(filters)
        self.join = nn.Conv2d(channels + 2 * filters, filters, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        features = self.features(inputs)
        by_channel = features * self.channel(features.mean(dim=(2, 3), keepdim=True))
        by_place = features * self.spatial(features)
        return self.join(torch.cat([inputs, by_channel, by_place], dim=1))


class _Residual(nn.Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.change = nn.Sequential(_same_conv(channels, channels, 3), nn.ReLU(), _same_conv(channels, channels, 3))

    def forward(self, features: Tensor) -> Tensor:
        return features + self.change(features)


class _EvenStride(nn.Conv2d):
    """3 x 3 convolution of stride 2 on even sides: Keras' "same" pads the right and lower edge only."""

    def __init__(self) -> None:
        super().__init__(32, 32, 3, stride=2)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(pad(input, (0, 1, 0, 1)))


def _stage(before: int, after: int, kernel: int) -> list[nn.Module]:
    return [_same_conv(before, after, kernel), *_activation(after)]


def _activation(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.LeakyReLU(0.5), _batch_norm(channels)


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    # The settings of Keras, in which the program is written.
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _same_conv(before: int, after: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel, padding=kernel // 2)


def _gate(filters: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(filters, filters, 1), nn.ReLU(), nn.Conv2d(filters, filters, 1), nn.Sigmoid())


def _initialise(module: nn.Module) -> None:
    # The default of Keras.
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)  # pyright: ignore[reportArgumentType]
