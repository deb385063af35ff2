"""Any timm backbone with a regression head."""

import difflib
from types import ModuleType

from torch import Tensor, nn

from imgqa.models.channel_norm import ChannelNorm
from imgqa.models.crop_scores import mean_over_crops
from rankqa_datasets.errors import InputError
from shared_engine.timm_import import import_timm


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
        timm = import_timm()
        self.backbone, features = _create_backbone(timm, backbone, pretrained)
        data = timm.data.resolve_model_data_config(self.backbone)
        self.crop_size = data["input_size"][1:] if _takes_one_size_only(self.backbone) else None
        self.normalise = ChannelNorm(mean=data["mean"], std=data["std"])
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(features, 1))

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score `images` (B, K, 3, H, W) in [0, 1].

        Returns:
            `scores` (B,), higher is better.

        Raises:
            InputError: the backbone takes crops of another size only.
        """
        images = batch["images"]
        if self.crop_size is not None and images.shape[-2:] != self.crop_size:
            raise InputError(
                f"this backbone takes crops of {self.crop_size[0]} x {self.crop_size[1]} pixels only, got "
                f"{images.shape[-2]} x {images.shape[-1]}: set input.crop = {self.crop_size[0]}"
            )
        return {"scores": mean_over_crops(self._score_crops, images)}

    def backbone_parameters(self) -> list[nn.Parameter]:
        """The parameters that get the smaller learning rate."""
        return list(self.backbone.parameters())

    def _score_crops(self, crops: Tensor) -> Tensor:
        return self.head(self.backbone(self.normalise(crops))).squeeze(1)


def _create_backbone(timm: ModuleType, name: str, pretrained: bool) -> tuple[nn.Module, int]:
    """The backbone without its classifier, and the length of the vector that it returns."""
    architecture = name.partition(".")[0]
    if not timm.is_model(architecture):
        close = difflib.get_close_matches(architecture, timm.list_models(), n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else "timm.list_models() lists them"
        raise InputError(f"timm has no backbone {name!r}: {hint}")
    try:
        backbone = timm.create_model(name, pretrained=pretrained, num_classes=0)
    except Exception as error:  # unknown tags, and a downloader that raises the errors of three libraries
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        cure = ": connect to the network once, or set model.options.pretrained=false" if pretrained else ""
        wanted = f"{name!r} with pretrained weights" if pretrained else repr(name)
        raise InputError(f"timm cannot provide {wanted} ({reason}){cure}") from error
    features = getattr(backbone, "head_hidden_size", None)
    if features is None:
        raise InputError(f"timm's {name!r} has no vector of pooled features and cannot serve as a backbone")
    return backbone, features


def _takes_one_size_only(backbone: nn.Module) -> bool:
    return bool(getattr(backbone, "pretrained_cfg", {}).get("fixed_input_size", False))
