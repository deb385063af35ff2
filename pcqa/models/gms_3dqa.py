"""GMS-3DQA: one network pass on an image of small squares from all projections."""

from torch import Tensor, nn

from pcqa.models.mini_patches import mini_patch_map
from pcqa.models.view_batch import read_masks, read_views
from shared_engine.timm_backbone import check_crop_size, own_normalisation, vector_backbone


class GMS3DQA(nn.Module):
    """Scores a cloud from one image of grid mini-patches, whatever the number of its views.

    Architecture: Zhang et al., "GMS-3DQA: Projection-Based Grid Mini-patch Sampling for 3D Model Quality Assessment",
    TOMM 2024, and its program: 7 x 7 squares of 32 pixels from six views, Swin-T, and a small network on each position
    of its last map, averaged. Ours: squares count by how much of them the cloud covers, where the program looks at
    their brightness and so takes a white cloud for an empty view; and evaluation takes fixed squares, where the program
    draws them at random.

    Args:
        backbone: Name of a timm model that takes images of `grid * patch` pixels.
        pretrained: Start from timm's weights, which are downloaded unless they lie in its cache.
        patch: Side of a square in pixels.
        grid: Squares in a row of the image, and rows.
        covered: Share of a square that the cloud must cover.
        hidden: Hidden width of the regression head.
        dropout: Before both layers of the head.
    """

    def __init__(
        self,
        *,
        backbone: str = "swin_tiny_patch4_window7_224",
        pretrained: bool = False,
        patch: int = 32,
        grid: int = 7,
        covered: float = 0.1,
        hidden: int = 64,
        dropout: float = 0.5,
    ):
        super().__init__()
        self.patch, self.grid, self.covered = patch, grid, covered
        self.backbone, _ = vector_backbone(backbone, pretrained=pretrained)
        # Of the last map; some families of timm widen it after pooling.
        self.channels = int(self.backbone.num_features)  # pyright: ignore[reportArgumentType]
        self.normalise = own_normalisation(self.backbone)
        self.head = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(self.channels, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, 1)
        )

    def backbone_parameters(self) -> list[nn.Parameter]:
        """The parameters that may learn at a smaller rate."""
        return list(self.backbone.parameters())

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score projections.

        Args:
            batch: `views` (B, V, 3, H, W) in [0, 1]; optionally `masks` (B, V, H, W), 1 where the cloud is.

        Returns:
            `scores` (B,); higher is better.

        Raises:
            InputError: the backbone takes images of another size only.
        """
        images = mini_patch_map(
            read_views(batch),
            read_masks(batch),
            patch=self.patch,
            grid=self.grid,
            covered=self.covered,
            random=self.training,
        )
        check_crop_size(self.backbone, images[:, None], option="model.options.grid * patch")
        maps = self.backbone.forward_features(self.normalise(images))  # pyright: ignore[reportCallIssue]
        if maps.dim() == 4 and maps.shape[1] == self.channels:
            maps = maps.permute(0, 2, 3, 1)
        # Positions of a map, or the tokens of a transformer.
        positions = maps.reshape(len(maps), -1, self.channels)
        return {"scores": self.head(positions).mean(dim=(1, 2))}
