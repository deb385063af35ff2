"""One distortion after another, level by level, as SJTU-PCQA has them."""

import numpy as np

from pcqa.cloud import Cloud
from pcqa.distortions.demo_types import color_noise, geometry_noise
from pcqa.distortions.distortion import Pair
from pcqa.distortions.sampling import down_sampling


def down_sampling_color_noise(cloud: Cloud, shares: Pair, rng: np.random.Generator) -> Cloud:
    """The first share of the points removed, then `color_noise` of the second."""
    return color_noise(down_sampling(cloud, shares[0], rng), shares[1], rng)


def down_sampling_geometry_noise(cloud: Cloud, shares: Pair, rng: np.random.Generator) -> Cloud:
    """The first share of the points removed, then `geometry_noise` of the second, of the box that is left."""
    return geometry_noise(down_sampling(cloud, shares[0], rng), shares[1], rng)


def geometry_noise_color_noise(cloud: Cloud, shares: Pair, rng: np.random.Generator) -> Cloud:
    """`geometry_noise` of the first share, then `color_noise` of the second."""
    return color_noise(geometry_noise(cloud, shares[0], rng), shares[1], rng)
