"""Stand-ins for G-PCC's octree coder, without the codec: positions on a coarser grid, and colours quantised.

What G-PCC loses is what these lose: points that fall together, and coefficients of RAHT below the quantiser's step. It
moreover predicts coefficients of fine levels from coarse ones, which makes some errors smaller at the same step.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Int

from pcqa.cloud import Cloud
from pcqa.distortions.cells import cell_keys, merged, occupied
from pcqa.distortions.color_spaces import RGB_FROM_YCBCR, YCBCR_FROM_RGB
from pcqa.distortions.distortion import Pair
from pcqa.distortions.edits import colors_of, with_colors
from pcqa.distortions.lengths import voxel_size
from pcqa.distortions.raht import raht_quantized


def position_quantization(cloud: Cloud, scale: float, rng: np.random.Generator) -> Cloud:
    """Positions x, in voxels from the lowest corner, as round(scale x) / scale; what falls together is merged.

    Merged points have their mean colour. A voxel is 1 where all coordinates are whole numbers, else 1/1023 of the
    longest side. Normals are dropped. A cloud of equal points becomes one of them.
    """
    step = voxel_size(cloud) / scale
    return merged(cloud, _cells(cloud, step), cloud.points.min(axis=0), step, within=0.0)


def octree_raht(cloud: Cloud, scale_and_qp: Pair, rng: np.random.Generator) -> Cloud:
    """`position_quantization`, then RAHT of the colours with the step 2^((qp - 4) / 6)."""
    scale, qp = scale_and_qp
    return octree_raht_step(cloud, (scale, 2 ** ((qp - 4) / 6)), rng)


def octree_raht_step(cloud: Cloud, scale_and_step: Pair, rng: np.random.Generator) -> Cloud:
    """`position_quantization`, then RAHT of Y, Cb and Cr (BT.709, of 255) with that step; colours rounded to 8 bits."""
    scale, step = scale_and_step
    colors_of(cloud)
    coarse = position_quantization(cloud, scale, rng)
    # From the cloud itself: where coordinates are large, float32 may not tell neighbours of the coarse cloud apart.
    cells = occupied(_cells(cloud, voxel_size(cloud) / scale))
    ycbcr = raht_quantized(cells, 255 * colors_of(coarse) @ YCBCR_FROM_RGB.T, step)
    return with_colors(coarse, np.rint(ycbcr @ RGB_FROM_YCBCR.T) / 255)


def noise_on_voxels(cloud: Cloud, deviations: Pair, rng: np.random.Generator) -> Cloud:
    """WPC's Gaussian noise: on positions (voxels) and colours (of 255), both then rounded, duplicates removed.

    Positions are rounded to the grid of `position_quantization`; of points that fall together the first is kept.
    """
    in_place, in_color = deviations
    colors = 255 * colors_of(cloud) + in_color * rng.normal(size=cloud.points.shape)
    low, voxel = cloud.points.min(axis=0), voxel_size(cloud)
    noise = np.rint(in_place * rng.normal(size=cloud.points.shape)).astype(np.int64) if voxel > 0 else 0
    cells = _cells(cloud, voxel) + noise
    # Noise goes below the lowest corner; keys of cells count from 0.
    first = np.sort(np.unique(cell_keys(cells - cells.min(axis=0)), return_index=True)[1])
    points = (low + cells[first] * voxel).astype(cloud.points.dtype)
    normals = None if cloud.normals is None else cloud.normals[first]
    noisy = with_colors(cloud, np.rint(colors) / 255)
    assert noisy.colors is not None
    return replace(noisy, points=points, colors=noisy.colors[first], normals=normals)


def _cells(cloud: Cloud, step: float) -> Int[np.ndarray, "P 3"]:
    """Steps from the lowest corner, rounded; 0 where all points are equal."""
    distance = (cloud.points - cloud.points.min(axis=0)).astype(np.float64)
    return np.rint(distance / step).astype(np.int64) if step > 0 else np.zeros(distance.shape, np.int64)
