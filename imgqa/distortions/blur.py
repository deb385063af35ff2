"""Blurs and over-sharpening of KADID-10k, as its official program makes them with MATLAB's filters."""

import math

import numpy as np
from jaxtyping import Float, UInt8
from scipy.ndimage import convolve, gaussian_filter

from imgqa.distortions.color_spaces import lab_from_rgb, rgb_from_lab
from imgqa.distortions.pixels import from_unit, to_uint8, to_unit


def gaussian(image: UInt8[np.ndarray, "H W 3"], sigma: float, rng: np.random.Generator) -> UInt8[np.ndarray, "H W 3"]:
    """Gaussian of standard deviation `sigma` pixels, cut at 2 sigma (rounded up) as in MATLAB; borders repeated.

    At sigma 0.1, KADID-10k's first level, the neighbours weigh e^-50: the image stays as it is.
    """
    return to_uint8(cut_gaussian(image.astype(np.float64), sigma))


def cut_gaussian(image: Float[np.ndarray, "H W ..."], sigma: float) -> Float[np.ndarray, "H W ..."]:
    """MATLAB's imgaussfilt: the kernel has 2 ceil(2 sigma) + 1 taps a side, borders are repeated."""
    return gaussian_filter(image, sigma, mode="nearest", radius=math.ceil(2 * sigma), axes=(0, 1))


def lens(image: UInt8[np.ndarray, "H W 3"], radius: float, rng: np.random.Generator) -> UInt8[np.ndarray, "H W 3"]:
    """Mean over a disk of `radius` pixels (defocus), each pixel with the share that lies in it; borders repeated."""
    return _filtered(image, disk_kernel(radius))


def motion(image: UInt8[np.ndarray, "H W 3"], length: float, rng: np.random.Generator) -> UInt8[np.ndarray, "H W 3"]:
    """Mean along a line of `length` pixels at a random angle; borders repeated. Length 1 changes nothing."""
    return _filtered(image, line_kernel(length, math.radians(rng.uniform(0, 180))))


def sharpen(image: UInt8[np.ndarray, "H W 3"], amount: float, rng: np.random.Generator) -> UInt8[np.ndarray, "H W 3"]:
    """Unsharp mask: `amount` times the difference of L* to its Gaussian of 3 pixels, cut at 6, is added to L*."""
    lab = lab_from_rgb(to_unit(image))
    light = lab[..., 0]
    lab[..., 0] = light + amount * (light - cut_gaussian(light, 3.0))
    return from_unit(rgb_from_lab(lab))


def disk_kernel(radius: float) -> Float[np.ndarray, "K K"]:
    """Share of each pixel that a centred disk covers, exactly, over the sum (MATLAB's fspecial('disk'))."""
    half = math.ceil(radius - 0.5)
    edges = np.arange(-half, half + 2) - 0.5
    x, y = np.minimum(np.abs(np.meshgrid(edges, edges)), radius)

    def below(t: np.ndarray) -> np.ndarray:  # integral of sqrt(radius^2 - t^2) from 0
        return (t * np.sqrt(radius**2 - t**2) + radius**2 * np.arcsin(t / radius)) / 2

    # Area of the disk within [0, x] x [0, y]: a rectangle up to where the circle comes under y, then the circle.
    meets = np.minimum(np.sqrt(radius**2 - y**2), x)
    corner = y * meets + below(x) - below(meets)
    signs = np.sign(edges)
    covered = np.diff(np.diff(corner * signs * signs[:, None], axis=0), axis=1)
    return covered / covered.sum()


def line_kernel(length: float, angle: float) -> Float[np.ndarray, "K K"]:
    """A smoothed centred line, `angle` in radians from the x axis (MATLAB's fspecial('motion')).

    A pixel weighs 1 minus its distance to the line, and to the line's end outside of the circle through both ends.
    """
    half = (length - 1) / 2
    reach = math.ceil(half) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
    along, across = x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)
    beyond = np.where(np.hypot(x, y) >= half, half - np.abs(along), 0.0)
    weight = np.maximum(1 - np.hypot(across, beyond), 0)
    return weight / weight.sum()


def _filtered(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return to_uint8(convolve(image.astype(np.float64), kernel[..., None], mode="nearest"))
