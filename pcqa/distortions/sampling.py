"""Fewer points: a random share removed, and an octree cut at the depth that leaves a given share."""

import numpy as np

from pcqa.cloud import Cloud
from pcqa.distortions.cells import cell_keys
from pcqa.distortions.demo_types import octree_quantization
from pcqa.distortions.edits import with_rows
from pcqa.distortions.lengths import FINEST_BITS, longest_side

# The readme of SJTU-PCQA allows 3 % of the points; halving the interval 30 times finds far less where it exists.
HALVINGS = 30
CLOSE_ENOUGH = 0.002


def down_sampling(cloud: Cloud, share: float, rng: np.random.Generator) -> Cloud:
    """The cloud without a random `share` of its points; at least one stays, order is kept.

    What a seed keeps at one share it keeps at each smaller one.
    """
    kept = max(1, round(cloud.num_points * (1 - share)))
    return with_rows(cloud, np.sort(rng.permutation(cloud.num_points)[:kept]))


def octree_pruning(cloud: Cloud, share: float, rng: np.random.Generator) -> Cloud:
    """An octree with leaves so large that about `share` of the points is removed by merging those of each leaf.

    The leaves' side is found by bisection; each leaf gives a point at its centre with the mean colour. Where more
    points than `share` have a twin at their place, all others stay apart.
    """
    aim = max(1, round(cloud.num_points * (1 - share)))
    if longest_side(cloud) == 0:
        return octree_quantization(cloud, 0.0, rng)
    low, high = 0.0, float(FINEST_BITS)
    best, best_miss = high, abs(_occupied(cloud, high) - aim)
    for _ in range(HALVINGS):
        if best_miss <= CLOSE_ENOUGH * cloud.num_points:
            break
        bits = (low + high) / 2
        count = _occupied(cloud, bits)
        if abs(count - aim) < best_miss:
            best, best_miss = bits, abs(count - aim)
        low, high = (bits, high) if count < aim else (low, bits)
    return octree_quantization(cloud, best, rng)


def _occupied(cloud: Cloud, bits: float) -> int:
    cells = 2**bits
    index = np.floor((cloud.points - cloud.points.min(axis=0)) / (longest_side(cloud) / cells)).astype(np.int64)
    return len(np.unique(cell_keys(np.minimum(index, int(np.ceil(cells)) - 1))))
