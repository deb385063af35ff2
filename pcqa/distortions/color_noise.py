"""Noise on colours, of standard deviations of 255 as 8-bit values have them; clipped to [0, 1] at the end.

LS-PCQA names its noises without formulas: all are reconstructions by what the names mean in image processing.
"""

import math

import numpy as np
from jaxtyping import Float
from scipy.spatial import KDTree

from pcqa.cloud import Cloud
from pcqa.distortions.color_spaces import RGB_FROM_YCBCR
from pcqa.distortions.edits import colors_of, with_colors

# Points over which noise is smoothed, the point itself among them.
SMOOTHING_NEIGHBORS = 16
# Skewness 2 / sqrt(2) = 1.41, where Rayleigh's law has 0.63: the two would else hardly differ.
GAMMA_SHAPE = 2.0


def gaussian(cloud: Cloud, std: float, rng: np.random.Generator) -> Cloud:
    """Independent on red, green and blue."""
    return _added(cloud, std, rng.normal(size=cloud.points.shape))


def uniform(cloud: Cloud, std: float, rng: np.random.Generator) -> Cloud:
    """Evenly distributed, up to sqrt(3) deviations; independent on red, green and blue."""
    return _added(cloud, std, rng.uniform(-math.sqrt(3), math.sqrt(3), size=cloud.points.shape))


def rayleigh(cloud: Cloud, std: float, rng: np.random.Generator) -> Cloud:
    """Rayleigh's law less its mean, so that brightness stays; independent on red, green and blue."""
    # Scale 1 has the mean sqrt(pi/2) and the variance 2 - pi/2.
    draws = rng.rayleigh(size=cloud.points.shape)
    return _added(cloud, std, (draws - math.sqrt(math.pi / 2)) / math.sqrt(2 - math.pi / 2))


def gamma(cloud: Cloud, std: float, rng: np.random.Generator) -> Cloud:
    """The gamma law of shape 2 (Erlang's) less its mean; independent on red, green and blue."""
    draws = rng.gamma(GAMMA_SHAPE, size=cloud.points.shape)
    return _added(cloud, std, (draws - GAMMA_SHAPE) / math.sqrt(GAMMA_SHAPE))


def multiplicative_gaussian(cloud: Cloud, std: float, rng: np.random.Generator) -> Cloud:
    """Each value times 1 + n, n Gaussian of deviation `std`; dark colours stay clean."""
    return with_colors(cloud, colors_of(cloud) * (1 + std * rng.normal(size=cloud.points.shape)))


def poisson(cloud: Cloud, photons: float, rng: np.random.Generator) -> Cloud:
    """Each value as counted with `photons` arriving on the average for white: fewer photons are noisier."""
    return with_colors(cloud, rng.poisson(colors_of(cloud) * photons) / photons)


def salt_and_pepper(cloud: Cloud, share: float, rng: np.random.Generator) -> Cloud:
    """A `share` of the points, drawn one by one, turned black or white; weak levels are part of strong ones."""
    hit, white = rng.random((cloud.num_points, 1)) < share, rng.integers(2, size=(cloud.num_points, 1))
    return with_colors(cloud, np.where(hit, white, colors_of(cloud)))


def luma(cloud: Cloud, std: float, rng: np.random.Generator) -> Cloud:
    """Gaussian on BT.709 luma: one offset for red, green and blue."""
    return _added(cloud, std, np.tile(rng.normal(size=(cloud.num_points, 1)), 3))


def chroma(cloud: Cloud, std: float, rng: np.random.Generator) -> Cloud:
    """Independent Gaussian on Cb and Cr of BT.709, each of deviation `std`; luma stays but for clipping."""
    cbcr = rng.normal(size=(cloud.num_points, 2))
    return _added(cloud, std, np.pad(cbcr, ((0, 0), (1, 0))) @ RGB_FROM_YCBCR.T)


def correlated_gaussian(cloud: Cloud, std: float, rng: np.random.Generator) -> Cloud:
    """Gaussian, averaged over the 16 nearest points so that neighbours share it, and scaled back to `std`."""
    return _added(cloud, std, _of_deviation_one(_smoothed(cloud, rng.normal(size=cloud.points.shape))))


def high_frequency(cloud: Cloud, std: float, rng: np.random.Generator) -> Cloud:
    """Gaussian less its average over the 16 nearest points, scaled to `std`."""
    noise = rng.normal(size=cloud.points.shape)
    return _added(cloud, std, _of_deviation_one(noise - _smoothed(cloud, noise)))


def _added(cloud: Cloud, std: float, noise: Float[np.ndarray, "P 3"]) -> Cloud:
    return with_colors(cloud, colors_of(cloud) + noise * (std / 255))


def _smoothed(cloud: Cloud, noise: Float[np.ndarray, "P 3"]) -> Float[np.ndarray, "P 3"]:
    count = min(SMOOTHING_NEIGHBORS, cloud.num_points)
    nearest = np.asarray(KDTree(cloud.points).query(cloud.points, k=count, workers=-1)[1]).reshape(-1, count)
    # Column by column: all neighbours' noise at once would take 16 times the memory.
    return sum((noise[column] for column in nearest.T), np.zeros_like(noise)) / count


def _of_deviation_one(noise: Float[np.ndarray, "P 3"]) -> Float[np.ndarray, "P 3"]:
    """Scaled about zero; noise that is zero (one point's high frequencies) stays zero."""
    size = math.sqrt(np.mean(noise**2))
    return noise / size if size > 0 else noise
