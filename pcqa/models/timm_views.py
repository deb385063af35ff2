"""Any timm backbone on the projections of a cloud: the plain baseline for every network on views."""

from torch import Tensor, nn

from pcqa.models.view_batch import read_views
from shared_engine.timm_backbone import check_crop_size, own_normalisation, vector_backbone


class TimmViews(nn.Module):
    """A backbone of timm on each view, its pooled features, one linear layer, and the mean over the views.

    Nothing here knows of clouds. The backbone's own mean and standard deviation are applied inside. The order of the
    views does not matter.

    Args:
        backbone: Name of a timm model, with or without a tag of weights ("resnet18", "resnet18.a1_in1k").
        pretrained: Start from timm's weights, which are downloaded unless they lie in its cache.
        dropout: Share of the pooled features dropped in training, in [0, 1).
    """

    def __init__(self, *, backbone: str, pretrained: bool = False, dropout: float = 0.0):
        super().__init__()
        if not 0 <= dropout < 1:
            raise ValueError(f"expected dropout in [0, 1), got {dropout}")
        self.backbone, features = vector_backbone(backbone, pretrained=pretrained)
        self.normalise = own_normalisation(self.backbone)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(features, 1))

    def backbone_parameters(self) -> list[nn.Parameter]:
        """The parameters that get the smaller learning rate."""
        return list(self.backbone.parameters())

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score projections.

        Args:
            batch: `views` (B, V, 3, H, W) in [0, 1].

        Returns:
            `scores` (B,) and `view_scores` (B, V); higher is better.

        Raises:
            InputError: the backbone takes views of another size only.
        """
        views = read_views(batch)
        check_crop_size(self.backbone, views, option="input.views.crop")
        features = self.backbone(self.normalise(views.flatten(0, 1)))
        view_scores = self.head(features).view(views.shape[:2])
        return {"scores": view_scores.mean(dim=1), "view_scores": view_scores}
