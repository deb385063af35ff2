"""CIELAB of 8-bit sRGB colours."""

import numpy as np
from jaxtyping import Float

# sRGB's linear light to XYZ and the white D65, with the digits of scikit-image.
XYZ_OF_RGB = np.array([[0.412453, 0.35758, 0.180423], [0.212671, 0.71516, 0.072169], [0.019334, 0.119193, 0.950227]])
WHITE = np.array([0.95047, 1.0, 1.08883])


def cielab(colors: Float[np.ndarray, "p 3"]) -> Float[np.ndarray, "p 3"]:
    """L* from 0 to 100, a* and b* of colours in [0, 1], rounded to 8 bits first.

    Equal to skimage.color.rgb2lab on 8-bit colours, whose digits of the matrix leave grey at a* = 0.005, b* = -0.01.
    """
    levels = np.arange(256) / 255
    linear = np.where(levels > 0.04045, ((levels + 0.055) / 1.055) ** 2.4, levels / 12.92)
    xyz = linear[np.rint(255 * colors).astype(np.uint8)] @ XYZ_OF_RGB.T / WHITE
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116).T
    return np.column_stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])
