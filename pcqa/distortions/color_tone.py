"""Changes of colour that have no noise in them. Reconstructions: LS-PCQA names them without formulas."""

import numpy as np
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

    The next is that on a Morton curve through the cloud, along which neighbours mostly are neighbours in space. The
    palette is Pillow's median cut, refined by k-means; a point passes on 7/16 of its error (Floyd and Steinberg, of
    whose four neighbours a curve has one).
    """
    side = longest_side(cloud) or 1.0
    cells = ((cloud.points - cloud.points.min(axis=0)).astype(np.float64) / side * (2**CURVE_BITS - 1)).astype(np.int64)
    order = np.argsort(morton_codes(cells), kind="stable")
    picture = Image.fromarray(np.rint(colors_of(cloud)[order] * 255).astype(np.uint8)[None])
    colors = picture.quantize(int(count), method=Image.Quantize.MEDIANCUT, kmeans=1)
    dithered = np.array(picture.quantize(palette=colors, dither=Image.Dither.FLOYDSTEINBERG).convert("RGB"))[0]
    result = np.empty(cloud.points.shape)
    result[order] = dithered / 255
    return with_colors(cloud, result)
