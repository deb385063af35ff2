"""Small graphs of coloured points around a key point, which GraphSIM and MS-GraphSIM compare."""

from dataclasses import dataclass, replace
from typing import no_type_check

import numpy as np
from jaxtyping import Float
from numba import njit
from scipy.spatial import KDTree

from pcqa.cloud import Cloud
from pcqa.metrics.key_points import farthest_neighbor
from pcqa.metrics.merged_points import rounded

# The radius of a graph is the largest distance to the 50th nearest point among 100 members.
NEIGHBORS = 50
# Longer links are left out, as a share of the radius, where colours are smoothed along links.
LINK = 0.5
# One level brings points this much nearer to the centre: the area shrinks with the number of points, which halves, and
# a third of that on each axis.
SHRINKAGE = 0.5 ** (1 / 3)


@dataclass(frozen=True, eq=False)
class LocalGraph:
    """A centre and the points around it, sorted by (x, y, z) and colour.

    Attributes:
        offsets: (n, 3) from the centre, in the cloud's unit, before any shrinking.
        rgb: (n, 3) from 0 to 255.
        center: row of the centre, whose offset is 0; the only one at its place.
        radius: of the graph, in the cloud's unit.
        scale: what the offsets are to be multiplied by. Kept apart, so that equal distances stay equal.
    """

    offsets: Float[np.ndarray, "n 3"]
    rgb: Float[np.ndarray, "n 3"]
    center: int
    radius: float
    scale: float = 1.0

    @property
    def weights(self) -> Float[np.ndarray, " n"]:
        """Of the links to the centre: exp(-d^2 / (radius^2 / 2)); 0 for the centre itself."""
        weights = np.zeros(len(self.offsets))
        others = np.arange(len(weights)) != self.center
        lengths = self.scale * np.linalg.norm(self.offsets[others], axis=1)
        weights[others] = np.exp(-2 * np.square(lengths / self.radius)) if others.any() else 0
        return weights

    def coarser(self) -> "LocalGraph":
        """The next level of MS-GraphSIM: smoothed colours, every second point, nearer to the centre.

        The colour of a point becomes the mean of those it is linked with, at most half the radius away, weighted by
        exp(-d^2 / (radius^2 / 2)), its own left out; a point without links keeps its colour. The centre always stays.
        """
        rgb = _smoothed(self.scale * self.offsets, self.rgb, LINK * self.radius, self.radius**2 / 2)
        kept = np.union1d(np.arange(0, len(rgb), 2), [self.center])
        center = int(np.searchsorted(kept, self.center))
        return replace(self, offsets=self.offsets[kept], rgb=rgb[kept], center=center, scale=SHRINKAGE * self.scale)


class GraphSource:
    """A cloud that local graphs are cut out of: points of equal place and 8-bit colour once, sorted by both."""

    def __init__(self, cloud: Cloud, colors: Float[np.ndarray, "p 3"]) -> None:
        points, rgb = cloud.points.astype(np.float64), rounded(255 * colors.astype(np.float64))
        x, y, z = points.T
        order = np.lexsort((rgb @ [65536.0, 256.0, 1.0], z, y, x))
        points, rgb = points[order], rgb[order]
        is_new = np.ones(len(points), bool)
        is_new[1:] = ((points[1:] != points[:-1]) | (rgb[1:] != rgb[:-1])).any(axis=1)
        self.points, self.rgb = points[is_new], rgb[is_new]
        self.tree = KDTree(self.points, balanced_tree=False, compact_nodes=False)

    def graph(self, center: Float[np.ndarray, "3"], center_rgb: Float[np.ndarray, "3"], reach: float) -> LocalGraph:
        """The graph around a place, which need not be a point of this cloud; it is put in with its colour.

        Of the points within `reach`, those within `radius`: the largest distance, among 100 of them evenly spaced in
        their order, to their 50th nearest there (the farthest, of fewer).
        """
        rows = self.tree.query_ball_point(center, reach, return_sorted=True)
        offsets = self.points[rows] - center
        elsewhere = (offsets != 0).any(axis=1)
        offsets, rgb = offsets[elsewhere], self.rgb[rows][elsewhere]
        x, y, z = offsets.T
        before = int(np.count_nonzero((x < 0) | ((x == 0) & ((y < 0) | ((y == 0) & (z < 0))))))
        offsets, rgb = np.insert(offsets, before, 0.0, axis=0), np.insert(rgb, before, center_rgb, axis=0)
        radius = farthest_neighbor(KDTree(offsets), offsets, NEIGHBORS)
        inside = np.linalg.norm(offsets, axis=1) <= radius
        return LocalGraph(offsets[inside], rgb[inside], int(np.count_nonzero(inside[:before])), radius)


@njit(cache=True)
@no_type_check
def _smoothed(points, rgb, link, variance):
    smoothed = np.empty_like(rgb)
    for i in range(len(points)):
        total, red, green, blue = 0.0, 0.0, 0.0, 0.0
        for j in range(len(points)):
            square = 0.0
            for axis in range(3):
                square += (points[i, axis] - points[j, axis]) ** 2
            if j != i and np.sqrt(square) <= link:
                weight = np.exp(-square / variance)
                total += weight
                red += weight * rgb[j, 0]
                green += weight * rgb[j, 1]
                blue += weight * rgb[j, 2]
        if total > 0:
            smoothed[i] = np.array([red, green, blue]) / total
        else:
            smoothed[i] = rgb[i]
    return smoothed
