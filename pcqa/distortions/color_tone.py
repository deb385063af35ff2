"""Changes of colour that have no noise in them. Reconstructions: LS-PCQA names them without formulas."""

from typing import no_type_check

import numpy as np
from numba import njit
from PIL import Image

from pcqa.cloud import Cloud
from pcqa.distortions.color_spaces import LUMA
from pcqa.distortions.edits import colors_of, with_colors
from pcqa.distortions.lengths import longest_side
from pcqa.distortions.raht import morton_codes

# Bits an axis of the grid along whose Morton curve colours are dithered.
CURVE_BITS = 10


def contrast(cloud: Cloud, factor: float, rng: np.random.Generator) -> Cloud:
    """The distance of each colour from the cloud's mean colour times `factor`."""
    colors = colors_of(cloud)
    mean = colors.mean(axis=0)
    return with_colors(cloud, mean + factor * (colors - mean))


def saturation(cloud: Cloud, factor: float, rng: np.random.Generator) -> Cloud:
    """The distance of each colour from the grey of its BT.709 luma times `factor`; 0 is grey."""
    colors = colors_of(cloud)
    grey = (colors @ LUMA)[:, None]
    return with_colors(cloud, grey + factor * (colors - grey))


def mean_shift(cloud: Cloud, shift: float, rng: np.random.Generator) -> Cloud:
    """`shift` (of 255) added to each value."""
    return with_colors(cloud, colors_of(cloud) + shift / 255)


def quantization(cloud: Cloud, values: float, rng: np.random.Generator) -> Cloud:
    """Each channel rounded to `values` evenly spaced values from 0 to 1, without dither."""
    return with_colors(cloud, np.rint(colors_of(cloud) * (values - 1)) / (values - 1))


def palette_dither(cloud: Cloud, count: float, rng: np.random.Generator) -> Cloud:
    """`count` colours of the cloud's own, the error of each point passed on to the next.

    The next is that on a Morton curve through the cloud, along which neighbours mostly are neighbours in space: colours
    of a place stay right in the mean. The palette is Pillow's median cut, refined by k-means.
    """
    side = longest_side(cloud) or 1.0
    cells = ((cloud.points - cloud.points.min(axis=0)).astype(np.float64) / side * (2**CURVE_BITS - 1)).astype(np.int64)
    order = np.argsort(morton_codes(cells), kind="stable")
    colors = np.rint(255 * colors_of(cloud)[order])
    picture = Image.fromarray(colors.astype(np.uint8)[None])
    few = picture.quantize(int(count), method=Image.Quantize.MEDIANCUT, kmeans=1)
    palette = np.unique(np.array(few.convert("RGB"))[0], axis=0).astype(np.float64)
    result = np.empty_like(colors)
    result[order] = _diffused(colors, palette) / 255
    return with_colors(cloud, result)


@njit(cache=True)
@no_type_check
def _diffused(colors, palette):
    """Each of `colors` (P, 3), plus the error of the one before it, as the nearest colour of the palette."""
    result = np.empty_like(colors)
    red, green, blue = 0.0, 0.0, 0.0
    for row in range(len(colors)):
        # Half a range beyond the colours that exist and no further, or errors would pile up out of the palette's reach.
        red = min(max(colors[row, 0] + red, -127.5), 382.5)
        green = min(max(colors[row, 1] + green, -127.5), 382.5)
        blue = min(max(colors[row, 2] + blue, -127.5), 382.5)
        chosen, smallest = 0, np.inf
        for k in range(len(palette)):
            distance = (red - palette[k, 0]) ** 2 + (green - palette[k, 1]) ** 2 + (blue - palette[k, 2]) ** 2
            if distance < smallest:
                chosen, smallest = k, distance
        result[row] = palette[chosen]
        red, green, blue = red - palette[chosen, 0], green - palette[chosen, 1], blue - palette[chosen, 2]
    return result
