"""Full-reference twin: one backbone for image and reference, and a small network on how their features differ."""

import torch
from torch import Tensor, nn

from imgqa.models.crop_scores import mean_over_crops
from imgqa.models.reference_pairs import reference_pairs
from shared_engine.timm_backbone import check_crop_size, own_normalisation, vector_backbone


class SiameseResNet(nn.Module):
    """Difference and product of the pooled features of image and reference, and two linear layers on them.

    This design is ours, not a published one. The difference says what the distortion did, the product what it did it
    to.
    """

    full_reference = True

    def __init__(
        self, *, backbone: str = "resnet18", pretrained: bool = False, hidden: int = 128, dropout: float = 0.0
    ) -> None:
        """Build the shared backbone and the head.

        Args:
            backbone: name of a timm model, with or without a tag of weights ("resnet18", "resnet18.a1_in1k").
            pretrained: start from timm's weights, which are downloaded unless they lie in its cache.
            hidden: width of the head's hidden layer.
            dropout: share of the head's inputs dropped in training, in [0, 1).

        Raises:
            InputError: unknown backbone, weights that cannot be had, or a backbone that returns no feature vector.
        """
        super().__init__()
        if hidden < 1:
            raise ValueError(f"expected a positive hidden width, got {hidden}")
        if not 0 <= dropout < 1:
            raise ValueError(f"expected dropout in [0, 1), got {dropout}")
        self.backbone, features = vector_backbone(backbone, pretrained=pretrained)
        self.normalise = own_normalisation(self.backbone)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * features, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score `images` against `references`, both (B, K, 3, H, W) in [0, 1].

        Returns:
            `scores` (B,), higher is better.

        Raises:
            InputError: no references, or the backbone takes crops of another size only.
        """
        pairs = reference_pairs(batch)
        check_crop_size(self.backbone, pairs)
        return {"scores": mean_over_crops(self._score_pairs, pairs)}

    def backbone_parameters(self) -> list[nn.Parameter]:
        """The parameters that get the smaller learning rate."""
        return list(self.backbone.parameters())

    def _score_pairs(self, pairs: Tensor) -> Tensor:
        # Both through the backbone at once, so that batch normalisation sees them as one population.
        crops = torch.cat(pairs.chunk(2, dim=1))
        reference, image = self.backbone(self.normalise(crops)).chunk(2)
        return self.head(torch.cat([image - reference, image * reference], dim=1)).squeeze(1)
