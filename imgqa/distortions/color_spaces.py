"""CIE L*a*b* of sRGB, and YCbCr of video range, in float64."""

import numpy as np
from jaxtyping import Float

# IEC 61966-2-1: linear sRGB to CIE XYZ under D65.
XYZ_FROM_RGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
RGB_FROM_XYZ = np.linalg.inv(XYZ_FROM_RGB)
WHITE = XYZ_FROM_RGB.sum(axis=1)  # so that sRGB white has exactly a = b = 0

# CIE 15: the cube root is continued by its tangent below (6/29)^3.
KNEE = 6 / 29

# ITU-R BT.601, R'G'B' in [0, 1] to Y in [16, 235]/255 and Cb, Cr in [16, 240]/255: what MATLAB's rgb2ycbcr computes.
YCBCR_FROM_RGB = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255
RGB_FROM_YCBCR = np.linalg.inv(YCBCR_FROM_RGB)
YCBCR_OFFSET = np.array([16.0, 128.0, 128.0]) / 255


def lab_from_rgb(image: Float[np.ndarray, "H W 3"]) -> Float[np.ndarray, "H W 3"]:
    """L* in [0, 100], a* and b*, of sRGB values in [0, 1]."""
    linear = np.where(image <= 0.04045, image / 12.92, ((np.maximum(image, 0.04045) + 0.055) / 1.055) ** 2.4)
    ratio = linear @ XYZ_FROM_RGB.T / WHITE
    root = np.where(ratio > KNEE**3, np.cbrt(ratio), ratio / (3 * KNEE**2) + 4 / 29)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def rgb_from_lab(lab: Float[np.ndarray, "H W 3"]) -> Float[np.ndarray, "H W 3"]:
    """The sRGB values of L*a*b*, clipped to [0, 1]."""
    y = (lab[..., 0] + 16) / 116
    root = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    ratio = np.where(root > KNEE, root**3, 3 * KNEE**2 * (root - 4 / 29))
    linear = np.clip((ratio * WHITE) @ RGB_FROM_XYZ.T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def ycbcr_from_rgb(image: Float[np.ndarray, "H W 3"]) -> Float[np.ndarray, "H W 3"]:
    """Y, Cb, Cr of video range, in units of 255."""
    return image @ YCBCR_FROM_RGB.T + YCBCR_OFFSET


def rgb_from_ycbcr(image: Float[np.ndarray, "H W 3"]) -> Float[np.ndarray, "H W 3"]:
    """R'G'B' in [0, 1] where the colour exists; not clipped."""
    return (image - YCBCR_OFFSET) @ RGB_FROM_YCBCR.T
