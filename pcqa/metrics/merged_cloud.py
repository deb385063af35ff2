"""The distinct points of a cloud as MPEG's pc_error sees them."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Int, UInt8

from pcqa.cloud import Cloud
from pcqa.metrics.point_set import PointSet
from pcqa.metrics.voxel_columns import VoxelColumns
from rankqa_datasets.errors import InputError


@dataclass(frozen=True, eq=False)
class MergedCloud:
    """float32 points sorted by (x, y, z), equal ones once.

    Attributes:
        points: (M, 3) float32, distinct, in lexicographic order.
        counts: (M,) how many points of the file lie there.
        first_rows: (M,) the first of them in the file.
        colors: (M, 3) their mean colour in 0..255, rounded down; None if the cloud has none.
        first_colors: (M, 3) the colour of the first of them.
        normals: (M, 3) the normal of the first of them; None if the cloud has none.
        name: how messages call the cloud.
    """

    points: Float32[np.ndarray, "m 3"]
    counts: Int[np.ndarray, " m"]
    first_rows: Int[np.ndarray, " m"]
    colors: UInt8[np.ndarray, "m 3"] | None
    first_colors: UInt8[np.ndarray, "m 3"] | None
    normals: Float32[np.ndarray, "m 3"] | None
    name: str

    def __len__(self) -> int:
        return len(self.points)

    @cached_property
    def point_set(self) -> PointSet:
        """The points in float64, to be searched."""
        return PointSet(self.points.astype(np.float64))

    @cached_property
    def columns(self) -> VoxelColumns | None:
        """The points as voxels, which are searched ten times faster; None where they are not whole numbers."""
        return VoxelColumns.of(self.points)

    @cached_property
    def spacing(self) -> float:
        """The largest distance from a point to its nearest neighbour in the cloud; 0 for a single point."""
        if len(self) == 1:
            return 0.0
        if self.columns is None:
            unresolved, largest = slice(None), 0.0
        else:
            squares, _ = self.columns.nearest(self.points, skip_itself=True)
            unresolved, largest = np.flatnonzero(squares < 0), float(squares.max())
        queries = self.points[unresolved]
        if len(queries) > 0:
            _, rows = self.point_set.tree.query(queries, k=2, workers=-1)
            differences = (queries - self.points[np.asarray(rows)[:, 1]]).astype(np.float64)
            largest = max(largest, float(np.square(differences).sum(axis=1).max()))
        return float(np.sqrt(largest))


def merged_cloud(cloud: Cloud) -> MergedCloud:
    """Sorts the points of a cloud and merges equal ones, as pc_error 0.14.2 does when it loads a file.

    Coordinates are rounded to float32 and colours to 8 bit first.

    Raises:
        InputError: a coordinate beyond float32.
    """
    with np.errstate(over="ignore"):
        # Adding 0 turns -0 into 0: the program compares them as equal.
        points = cloud.points.astype(np.float32) + np.float32(0)
    if not np.isfinite(points).all():
        largest = abs(cloud.points).max()
        raise InputError(f"{cloud.name}: pc_error's metrics need coordinates within float32 (3.4e38), got {largest:g}")
    order, is_new = _sorted_order(points)
    starts = np.flatnonzero(is_new)
    counts = np.diff(starts, append=len(points))
    first_rows = np.minimum.reduceat(order, starts)
    colors = first_colors = None
    if cloud.colors is not None:
        file_colors = np.rint(cloud.colors * np.float32(255)).astype(np.uint8)
        colors = first_colors = file_colors[first_rows]
        if len(starts) < len(points):
            sums = np.add.reduceat(file_colors[order], starts, axis=0, dtype=np.int64)
            colors = (sums // counts[:, None]).astype(np.uint8)
    normals = None if cloud.normals is None else cloud.normals[first_rows]
    return MergedCloud(points[first_rows], counts, first_rows, colors, first_colors, normals, cloud.name)


def _sorted_order(points: Float32[np.ndarray, "p 3"]) -> tuple[Int[np.ndarray, " p"], Bool[np.ndarray, " p"]]:
    """Rows by (x, y, z), equal points in any order; and where in this order a new point begins."""
    x, y, z = np.ascontiguousarray(points.T)
    lows = [float(values.min()) for values in (x, y, z)]
    sides = [float(values.max()) - low + 1 for values, low in zip((x, y, z), lows, strict=True)]
    small = math.prod(sides) < 2**62 and max(map(abs, lows)) < 2**53
    if small and all((values == np.rint(values)).all() for values in (x, y, z)):
        # Whole coordinates make one number, which is sorted several times faster than three.
        whole = (values.astype(np.int64) - int(low) for values, low in zip((x, y, z), lows, strict=True))
        flat = np.asarray(np.ravel_multi_index(tuple(whole), tuple(int(side) for side in sides)))
        order = np.argsort(flat)
        flat = flat[order]
        changes = flat[1:] != flat[:-1]
    else:
        order = np.lexsort((z, y, x))
        x, y, z = x[order], y[order], z[order]
        changes = (x[1:] != x[:-1]) | (y[1:] != y[:-1]) | (z[1:] != z[:-1])
    return order, np.concatenate(([True], changes))
