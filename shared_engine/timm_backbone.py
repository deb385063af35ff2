"""Backbones of timm for models of images and of views, with errors that say what to type."""

import difflib
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from rankqa_datasets.errors import InputError
from shared_engine.channel_norm import ChannelNorm
from shared_engine.timm_import import import_timm


def vector_backbone(name: str, *, pretrained: bool) -> tuple[nn.Module, int]:
    """A backbone without its classifier, which maps (N, 3, H, W) to (N, F), and F.

    Args:
        name: of a timm model, with or without a tag of weights ("resnet18", "resnet18.a1_in1k").
        pretrained: start from timm's weights, which are downloaded unless they lie in its cache.

    Raises:
        InputError: unknown backbone, weights that cannot be had, or a backbone that returns no feature vector.
    """
    backbone = _create(name, pretrained, num_classes=0)
    features = getattr(backbone, "head_hidden_size", None)
    if features is None:
        raise InputError(f"timm's {name!r} has no vector of pooled features and cannot serve as a backbone")
    return backbone, features


def map_backbone(name: str, *, pretrained: bool, levels: Sequence[int]) -> tuple[nn.Module, list[int]]:
    """A backbone that maps (N, 3, H, W) to the list of its feature maps at `levels`, and their channels.

    What comes after the last of the levels is left out.

    Args:
        name: of a timm model, as in `vector_backbone`.
        pretrained: as in `vector_backbone`.
        levels: stages of a convolutional backbone (one for each halving of the sides) or blocks of a transformer,
            counted from 0, or from -1 backwards.

    Raises:
        InputError: unknown backbone, weights that cannot be had, or a backbone without these levels.
    """
    backbone = _create(name, pretrained, features_only=True, out_indices=tuple(levels))
    return backbone, list(backbone.feature_info.channels())  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]


def token_backbone(name: str, *, pretrained: bool, blocks: Sequence[int]) -> tuple[nn.Module, int, tuple[int, int]]:
    """A vision transformer that maps (N, 3, H, W) to the tokens after `blocks`, as maps, their channels and grid.

    Args:
        name: of a timm model, as in `vector_backbone`.
        pretrained: as in `vector_backbone`.
        blocks: counted from 0.

    Raises:
        InputError: unknown backbone, weights that cannot be had, without these blocks, or not a vision transformer.
    """
    backbone, channels = map_backbone(name, pretrained=pretrained, levels=blocks)
    reductions = backbone.feature_info.reduction()  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
    if not takes_one_size_only(backbone) or len({*channels}) > 1 or len({*reductions}) > 1:
        raise InputError(
            f"this model needs a vision transformer of one input size, such as 'vit_base_patch8_224', got {name!r}"
        )
    height, width = own_size(backbone)
    return backbone, channels[0], (height // reductions[0], width // reductions[0])


def own_normalisation(backbone: nn.Module) -> ChannelNorm:
    """The mean and standard deviation that the backbone's weights were trained with."""
    data = import_timm().data.resolve_model_data_config(backbone)
    return ChannelNorm(mean=data["mean"], std=data["std"])


def check_crop_size(backbone: nn.Module, images: Tensor, *, option: str = "input.crop") -> None:
    """Refuse crops (B, K, 3, H, W) of a size that the backbone does not take; the message names the `option` to set.

    Raises:
        InputError: the backbone takes crops of another size only.
    """
    if not takes_one_size_only(backbone):
        return
    height, width = own_size(backbone)
    if images.shape[-2:] != (height, width):
        raise InputError(
            f"this backbone takes crops of {height} x {width} pixels only, got "
            f"{images.shape[-2]} x {images.shape[-1]}: set {option} = {height}"
        )


def takes_one_size_only(backbone: nn.Module) -> bool:
    """Whether crops must have `own_size`."""
    return bool(getattr(backbone, "pretrained_cfg", {}).get("fixed_input_size", False))


def own_size(backbone: nn.Module) -> tuple[int, int]:
    """Height and width of the images that the backbone was trained with."""
    return import_timm().data.resolve_model_data_config(backbone)["input_size"][1:]


def _create(name: str, pretrained: bool, **form: Any) -> nn.Module:
    timm = import_timm()
    architecture = name.partition(".")[0]
    if not timm.is_model(architecture):
        close = difflib.get_close_matches(architecture, timm.list_models(), n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else "timm.list_models() lists them"
        raise InputError(f"timm has no backbone {name!r}: {hint}")
    try:
        return timm.create_model(name, pretrained=pretrained, **form)
    except Exception as error:  # unknown tags, and a downloader that raises the errors of three libraries
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        cure = ": connect to the network once, or set model.options.pretrained=false" if pretrained else ""
        levels = f" with feature maps at levels {form['out_indices']}" if "out_indices" in form else ""
        wanted = f"{name!r}{' with pretrained weights' if pretrained else ''}{levels}"
        raise InputError(f"timm cannot provide {wanted} ({reason}){cure}") from error
