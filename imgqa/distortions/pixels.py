"""Between 8-bit pixels and float images, for all distortions."""

import numpy as np
from jaxtyping import Float, UInt8

# ITU-R BT.601 luma, as in MATLAB's rgb2gray.
LUMA = (0.299, 0.587, 0.114)


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Values of 0 to 255 rounded (halves to even) and clipped."""
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def to_unit(image: UInt8[np.ndarray, "H W 3"]) -> Float[np.ndarray, "H W 3"]:
    """8-bit values as float64 in [0, 1]."""
    return image / 255.0


def from_unit(image: Float[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W 3"]:
    """Float values as 8 bits; what lies outside of [0, 1] is clipped."""
    return to_uint8(image * 255.0)


def patch_side(image: np.ndarray, side: int) -> int:
    """`side` pixels, or in small images a quarter of the shorter side, so that a patch never is the whole picture."""
    return min(side, max(1, min(image.shape[:2]) // 4))
