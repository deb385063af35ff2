"""How salient a crop is, from where the class token of a transformer looks in it."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor


def attention_focus(attention: Float[Tensor, "... p"]) -> Float[Tensor, "..."]:
    """Log P less the entropy of the attention over the P patches, in nats: 0 where nothing stands out, at most log P.

    Args:
        attention: of the class token to every patch of a crop, not negative; the sum is taken as 1.
    """
    share = saliency_map(attention) / attention.shape[-1]
    return torch.special.xlogy(share, share * attention.shape[-1]).sum(dim=-1)


def attention_mass(attention: Float[Tensor, "... p"]) -> Float[Tensor, "..."]:
    """Share of the class token's attention that goes to patches, and not to itself, in [0, 1].

    Args:
        attention: of the class token to every patch of a crop, not negative.
    """
    return attention.sum(dim=-1)


CROP_SALIENCY: dict[str, Callable[[Tensor], Tensor]] = {"focus": attention_focus, "mass": attention_mass}


def saliency_map(attention: Float[Tensor, "... p"]) -> Float[Tensor, "... p"]:
    """Attention of each patch relative to an even one: mean 1 over the patches of a crop."""
    return attention / attention.mean(dim=-1, keepdim=True)


def part_by_saliency(saliency: Float[Tensor, "b k"]) -> tuple[Int[Tensor, " b"], Int[Tensor, "b rest"]]:
    """The index of the most salient crop of each image, the first of equal ones, and those of the others in order."""
    salient = saliency.argmax(dim=1)
    others = torch.arange(saliency.shape[1] - 1, device=saliency.device).expand(len(saliency), -1)
    return salient, others + (others >= salient[:, None])
