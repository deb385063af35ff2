"""The comparison of two feature maps that the similarity indices share."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def similarity(a: Float[Tensor, "*shape"], b: Float[Tensor, "*shape"], constant: float) -> Float[Tensor, "*shape"]:
    """(2 a b + constant) / (a^2 + b^2 + constant): 1 where the maps agree, negative where their signs differ."""
    # As 1 - (a - b)^2 / (...): the same, exactly 1 for equal maps, and free of cancellation near 1.
    return 1 - (a - b).square() / (a.square() + b.square() + constant)


def real_power(base: Float[Tensor, "*shape"], exponent: float) -> Float[Tensor, "*shape"]:
    """Real part of base^exponent, with the principal value for negative bases as in MATLAB's `real(x .^ p)`.

    Exponents between 0 and 1 have an infinite slope at a base of 0; there the value and its derivative are 0.
    """
    zero = base == 0
    power = torch.where(zero, 1.0, base.abs()) ** exponent
    power = torch.where(base < 0, math.cos(math.pi * exponent) * power, power)
    return torch.where(zero, 0.0, power)
