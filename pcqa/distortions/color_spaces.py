"""BT.709 of full range: luma and two differences of colour, as codecs of clouds take them."""

import numpy as np

LUMA = np.array([0.2126, 0.7152, 0.0722])

# Cb and Cr are (B - Y) and (R - Y), scaled to [-0.5, 0.5] for colours in [0, 1].
YCBCR_FROM_RGB = np.stack(
    [LUMA, (np.array([0, 0, 1]) - LUMA) / (2 * (1 - LUMA[2])), (np.array([1, 0, 0]) - LUMA) / (2 * (1 - LUMA[0]))]
)
RGB_FROM_YCBCR = np.linalg.inv(YCBCR_FROM_RGB)
