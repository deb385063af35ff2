"""One view of a reference and a distorted cloud."""

from dataclasses import dataclass

from jaxtyping import Bool, UInt8
from torch import Tensor


# eq=False: comparing tensors with == inside a generated __eq__ raises; identity is what callers need.
@dataclass(frozen=True, eq=False)
class ViewPair:
    """One view of both clouds.

    Attributes:
        image: the distorted cloud, 0 to 255.
        reference: the reference, 0 to 255.
        mask: where at least one of them is.
    """

    image: UInt8[Tensor, "h w 3"]
    reference: UInt8[Tensor, "h w 3"]
    mask: Bool[Tensor, "h w"]
