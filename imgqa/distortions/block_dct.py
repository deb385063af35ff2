"""The discrete cosine transform of 8 x 8 blocks, on whole images."""

import numpy as np
from jaxtyping import Float
from scipy.fft import dct

SIDE = 8
BASIS = np.asarray(dct(np.eye(SIDE), axis=0, norm="ortho"))

# ITU-T T.81, table K.1: the quantisation of luminance at quality 50.
JPEG_LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=np.float64,
)


def padded(image: Float[np.ndarray, "H W C"], before: tuple[int, int] = (0, 0)) -> Float[np.ndarray, "H2 W2 C"]:
    """The image with `before` rows and columns more in front, and filled up to whole blocks; borders repeated."""
    fill = [(n, -(n + length) % SIDE) for n, length in zip(before, image.shape, strict=False)]
    return np.pad(image, [*fill, (0, 0)], mode="edge")


def block_dct(image: Float[np.ndarray, "H W C"]) -> Float[np.ndarray, "h 8 w 8 C"]:
    """Orthonormal coefficients [block row, v, block column, u, channel] of an image of whole blocks."""
    blocks = image.reshape(image.shape[0] // SIDE, SIDE, image.shape[1] // SIDE, SIDE, -1)
    return np.einsum("vy,iyjxc,ux->ivjuc", BASIS, blocks, BASIS, optimize=True)


def inverse_block_dct(coefficients: Float[np.ndarray, "h 8 w 8 C"]) -> Float[np.ndarray, "H W C"]:
    """The image that has these coefficients."""
    rows, _, columns, _, channels = coefficients.shape
    blocks = np.einsum("vy,ivjuc,ux->iyjxc", BASIS, coefficients, BASIS, optimize=True)
    return blocks.reshape(rows * SIDE, columns * SIDE, channels)


def thresholded(image: Float[np.ndarray, "H W C"], threshold: float, offset: tuple[int, int]) -> np.ndarray:
    """The image without the coefficients of at most `threshold`, the means kept; `offset` moves the grid of blocks."""
    coefficients = block_dct(padded(image, offset))
    keep = np.abs(coefficients) > threshold
    keep[:, 0, :, 0] = True
    result = inverse_block_dct(coefficients * keep)
    return result[offset[0] : offset[0] + image.shape[0], offset[1] : offset[1] + image.shape[1]]
