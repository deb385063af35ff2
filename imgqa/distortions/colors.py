"""Colour distortions of KADID-10k, and the lateral chromatic aberration of TID2013."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from scipy.ndimage import map_coordinates

from imgqa.distortions.blur import cut_gaussian
from imgqa.distortions.color_spaces import lab_from_rgb, rgb_from_lab
from imgqa.distortions.pixels import LUMA, from_unit, to_uint8, to_unit


def diffusion(image: UInt8[np.ndarray, "H W 3"], amount: float, rng: np.random.Generator) -> UInt8[np.ndarray, "H W 3"]:
    """a* and b* blurred with a Gaussian of 1.5 amount + 2 pixels, and multiplied by `amount`."""
    lab = lab_from_rgb(to_unit(image))
    lab[..., 1:] = cut_gaussian(lab[..., 1:], 1.5 * amount + 2) * amount
    return from_unit(rgb_from_lab(lab))


def shift(image: UInt8[np.ndarray, "H W 3"], amount: float, rng: np.random.Generator) -> UInt8[np.ndarray, "H W 3"]:
    """Green moved by about `amount` pixels right and down in a random direction, where there are edges.

    The share of the moved green is the blurred size of the gradient of luma, stretched to [0, 1]. KADID-10k's program
    takes gradient and percentiles from a library of its own that is not public: central differences here.
    """
    unit = to_unit(image)
    down, right = np.gradient(unit @ LUMA)
    edges = cut_gaussian(np.hypot(down, right), 4.0)
    edges = _stretched(np.clip(_stretched(edges), 0.1, 1))
    edges = _stretched(np.clip(edges, *np.percentile(edges, [1, 99])))
    direction = rng.random(2)
    down, right = np.rint(direction / np.linalg.norm(direction) * amount).astype(int)
    rows = np.clip(np.arange(image.shape[0]) - down, 0, None)
    columns = np.clip(np.arange(image.shape[1]) - right, 0, None)
    green = unit[..., 1]
    unit[..., 1] = edges * green[np.ix_(rows, columns)] + (1 - edges) * green
    return from_unit(unit)


def palette(image: UInt8[np.ndarray, "H W 3"], count: float, rng: np.random.Generator) -> UInt8[np.ndarray, "H W 3"]:
    """`count` colours of the image's own, the error spread to the neighbours (Floyd and Steinberg).

    MATLAB's rgb2ind, which KADID-10k and TID2013 name, dithers by default and cuts the colour cube where the variance
    falls most. Here: Pillow's median cut, refined by k-means.
    """
    picture = Image.fromarray(image)
    colors = picture.quantize(int(count), method=Image.Quantize.MEDIANCUT, kmeans=1)
    dithered = picture.quantize(palette=colors, dither=Image.Dither.FLOYDSTEINBERG)
    return np.array(dithered.convert("RGB"))


def hsv_saturation(
    image: UInt8[np.ndarray, "H W 3"], factor: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "H W 3"]:
    """Saturation of HSV times `factor`; 0 is grey, a negative one turns to the complement.

    With hue and value V fixed, saturation scales the distance of each channel to V = max(R, G, B).
    """
    value = image.max(axis=2, keepdims=True).astype(np.float64)
    return to_uint8(value - factor * (value - image))


def lab_saturation(
    image: UInt8[np.ndarray, "H W 3"], factor: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "H W 3"]:
    """a* and b* times `factor`."""
    return from_unit(rgb_from_lab(lab_from_rgb(to_unit(image)) * (1.0, factor, factor)))


def chromatic_aberration(
    image: UInt8[np.ndarray, "H W 3"], amount: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "H W 3"]:
    """Red enlarged and blue shrunk about the centre by the share `amount`; green stays (lateral aberration).

    A reconstruction: TID2013 says what was modelled, not how. Its strongest levels have less PSNR than the shift alone.
    """
    result = image.astype(np.float64)
    center = (np.array(image.shape[:2]) - 1) / 2
    grid = np.mgrid[: image.shape[0], : image.shape[1]] - center[:, None, None]
    for channel, scale in ((0, 1 + amount), (2, 1 - amount)):
        where = grid / scale + center[:, None, None]
        result[..., channel] = map_coordinates(result[..., channel], where, order=1, mode="nearest")
    return to_uint8(result)


def _stretched(values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)
