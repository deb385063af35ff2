"""What a vision transformer's class token looks at."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankqa_datasets.errors import InputError
from shared_engine.timm_backbone import vector_backbone
from shared_engine.timm_import import import_timm


def class_token_backbone(name: str, *, pretrained: bool) -> tuple[nn.Module, int, tuple[int, int]]:
    """A vision transformer with a class token, which maps (N, 3, H, W) to (N, F), F and its grid.

    Args:
        name: of a timm model, as in `vector_backbone`.
        pretrained: as in `vector_backbone`.

    Raises:
        InputError: unknown backbone, weights that cannot be had, or not such a transformer.
    """
    backbone, features = vector_backbone(name, pretrained=pretrained)
    if not _has_plain_class_attention(backbone):
        raise InputError(
            f"this model needs a vision transformer with a class token, such as 'deit3_small_patch16_224', got {name!r}"
        )
    return backbone, features, backbone.patch_embed.grid_size  # pyright: ignore[reportAttributeAccessIssue, reportReturnType]


def features_and_attention(backbone: Any, crops: Tensor) -> tuple[Float[Tensor, "n f"], Float[Tensor, "n p"]]:
    """The pooled features of crops, and the attention of the class token to each patch in the last block.

    Args:
        backbone: of `class_token_backbone`.
        crops: normalised, (N, 3, H, W).

    Returns:
        Features (N, F), the same as `backbone(crops)`. Attention (N, P) as the mean over heads, patches row by row; its
        sum is below 1 by what the class token keeps for itself and other tokens without a place.
    """
    final, [(patches, prefix)] = backbone.forward_intermediates(
        crops, indices=[len(backbone.blocks) - 2], return_prefix_tokens=True, output_fmt="NLC"
    )
    last = backbone.blocks[-1]
    attention = _class_row(last.attn, last.norm1(torch.cat([prefix, patches], dim=1)))
    return backbone.forward_head(final), attention[:, backbone.num_prefix_tokens :]


def _class_row(attention: Any, tokens: Tensor) -> Tensor:
    """The first row of the attention matrix of timm's `Attention`, mean over heads: (N, T)."""
    queries, keys, _ = attention.qkv(tokens).unflatten(2, (3, attention.num_heads, -1)).permute(2, 0, 3, 1, 4)
    query, keys = attention.q_norm(queries[:, :, :1]), attention.k_norm(keys)
    return (attention.scale * query @ keys.mT).softmax(dim=3).mean(dim=1).squeeze(1)


def _has_plain_class_attention(backbone: Any) -> bool:
    # Other families, and variants of this one, have a class token too, but blocks or attention of another form.
    timm = import_timm()
    family = timm.models.vision_transformer
    if not isinstance(backbone, family.VisionTransformer) or not backbone.has_class_token:
        return False
    last: Any = backbone.blocks[-1]
    return isinstance(last, family.Block) and isinstance(last.attn, timm.layers.Attention)
