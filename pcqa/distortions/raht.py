"""The region-adaptive hierarchical transform of colours (RAHT), with which G-PCC codes them.

R. de Queiroz, P. Chou: Compression of 3D point clouds using a region-adaptive hierarchical transform, IEEE Transactions
on Image Processing 25, 2016. Without G-PCC's prediction between levels.
"""

import numpy as np
from jaxtyping import Float, Int


def raht_quantized(
    cells: Int[np.ndarray, "P 3"], colors: Float[np.ndarray, "P C"], step: float
) -> Float[np.ndarray, "P C"]:
    """Colours whose transform coefficients were rounded to whole multiples of `step`.

    Two neighbours, first along z, then y, then x, then at twice the distance, become their weighted mean, which goes on
    to the next level, and their difference, which is rounded. The transform is orthonormal: the error of colours has
    the mean square of the error of coefficients.

    Args:
        cells: places on the grid, all different, each coordinate from 0 to 2^21 - 1.
        colors: one row a cell, in the unit of `step`.
        step: of the quantiser, above 0.
    """
    codes = morton_codes(cells)
    order = np.argsort(codes)
    codes, values, weights = codes[order], colors[order], np.ones(len(codes))
    levels = []
    while len(codes) > 1:
        codes = codes >> 1
        first = np.flatnonzero(np.diff(codes, prepend=-1))
        pair = np.diff(first, append=len(codes)) == 2
        one, other = first[pair], first[pair] + 1
        total = weights[one] + weights[other]
        near, far = np.sqrt(weights[one] / total)[:, None], np.sqrt(weights[other] / total)[:, None]
        difference = step * np.rint((near * values[other] - far * values[one]) / step)
        levels.append((len(codes), first, pair, near, far, difference))
        mean = near * values[one] + far * values[other]
        codes, values, weights = codes[first], values[first], weights[first]
        values[pair], weights[pair] = mean, total
    values = step * np.rint(values / step)
    for count, first, pair, near, far, difference in reversed(levels):
        wider = np.empty((count, values.shape[1]))
        wider[first] = values
        wider[first[pair]] = near * values[pair] - far * difference
        wider[first[pair] + 1] = far * values[pair] + near * difference
        values = wider
    result = np.empty_like(values)
    result[order] = values
    return result


def morton_codes(cells: Int[np.ndarray, "P 3"]) -> Int[np.ndarray, "P"]:
    """The bits of x, y and z taken in turn, x first; coordinates from 0 to 2^21 - 1."""
    x, y, z = (_spread(axis) for axis in cells.T)
    return (x << 2) | (y << 1) | z


def _spread(values: Int[np.ndarray, "P"]) -> Int[np.ndarray, "P"]:
    """Each of 21 bits moved to three times its place."""
    for shift, mask in (
        (32, 0x1F00000000FFFF),
        (16, 0x1F0000FF0000FF),
        (8, 0x100F00F00F00F00F),
        (4, 0x10C30C30C30C30C3),
        (2, 0x1249249249249249),
    ):
        values = (values | (values << shift)) & mask
    return values
