"""Any timm backbone with a regression head."""

from torch import Tensor, nn

from imgqa.models.crop_scores import mean_over_crops
from shared_engine.timm_backbone import check_crop_size, own_normalisation, vector_backbone


class TimmRegressor(nn.Module):
    """A backbone of timm, its pooled features, and one linear layer on top.

    The backbone's own mean and standard deviation are applied inside, so images come in [0, 1] as everywhere.
    """

    def __init__(self, *, backbone: str, pretrained: bool = False, dropout: float = 0.0) -> None:
        """Build the backbone and the head.

        Args:
            backbone: name of a timm model, with or without a tag of weights ("resnet18", "resnet18.a1_in1k").
            pretrained: start from timm's weights, which are downloaded unless they lie in its cache.
            dropout: share of the pooled features dropped in training, in [0, 1).

        Raises:
            InputError: unknown backbone, weights that cannot be had, or a backbone that returns no feature vector.
        """
        super().__init__()
        if not 0 <= dropout < 1:
            raise ValueError(f"expected dropout in [0, 1), got {dropout}")
        self.backbone, features = vector_backbone(backbone, pretrained=pretrained)
        self.normalise = own_normalisation(self.backbone)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(features, 1))

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
        """The parameters that get the smaller learning rate."""
        return list(self.backbone.parameters())

    def _score_crops(self, crops: Tensor) -> Tensor:
        return self.head(self.backbone(self.normalise(crops))).squeeze(1)
