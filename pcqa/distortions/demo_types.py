"""The types of the demo set: their clouds must not change, or the set and all that was measured on it would."""

import numpy as np

from pcqa.cloud import Cloud
from pcqa.distortions.cells import merged
from pcqa.distortions.edits import colors_of, with_colors, with_points
from pcqa.distortions.lengths import FINEST_BITS, longest_side


def geometry_noise(cloud: Cloud, share: float, rng: np.random.Generator) -> Cloud:
    """Every point moved by Gaussian noise on each axis, of standard deviation `share` x the longest side of the box."""
    return with_points(cloud, cloud.points + rng.normal(0.0, share * longest_side(cloud), size=cloud.points.shape))


def color_noise(cloud: Cloud, share: float, rng: np.random.Generator) -> Cloud:
    """A `share` of the points brightened or darkened by up to `share` x 100 of 255: one offset for all three channels.

    The offset is uniform; colours are clipped to [0, 1]. In SJTU-PCQA share and amplitude go together: 10 % of the
    points by +-10, ... 70 % by +-70.

    Raises:
        InputError: the cloud has no colours.
    """
    colors = colors_of(cloud)
    hit = rng.permutation(cloud.num_points) < round(share * cloud.num_points)
    offset = rng.uniform(-share * 100 / 255, share * 100 / 255, size=(cloud.num_points, 1)) * hit[:, None]
    return with_colors(cloud, colors + offset)


def octree_quantization(cloud: Cloud, bits: float, rng: np.random.Generator) -> Cloud:
    """The points of each cell merged into one at the cell's centre, with their mean colour; normals are dropped.

    The longest side of the box is cut into 2^bits cells, 20 bits at most. This is what is left of the geometry after an
    octree coder that stops at that depth; `bits` need not be whole, as the coder's position scale need not be. Points
    that are all equal become one, which stays where it was.
    """
    low, side = cloud.points.min(axis=0), longest_side(cloud)
    if side == 0:
        return merged(cloud, np.zeros(cloud.points.shape, np.int64), low, 0.0, within=0.0)
    cells = 2 ** min(bits, FINEST_BITS)
    cell = side / cells
    index = np.floor((cloud.points - low) / cell).astype(np.int64)
    return merged(cloud, np.minimum(index, int(np.ceil(cells)) - 1), low, cell, within=0.5)
