"""PCQM: the quality metric for coloured point clouds of Meynet, Nehmé, Digne and Lavoué (QoMEX 2020)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from pcqa.cloud import Cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.lab2000hl import chroma_2000hl, lightness_2000hl
from pcqa.metrics.pcqm_statistics import local_features
from pcqa.metrics.pcqm_surface import local_curvatures, projections
from pcqa.ops.grid_neighbors import grid_neighbors
from pcqa.ops.of_both import of_both
from pcqa.ops.radius_grid import CellFrame, RadiusGrid
from rankqa_datasets.errors import InputError

# Fourth powers of a length, times a number of points, stay finite float64.
LARGEST = 1e60


@dataclass(frozen=True)
class Pcqm:
    """PCQM and its features, means over the reference's points: 0 for equal clouds, larger is worse.

    One-sided, from the reference: there is no other direction. Without a unit, and not translation invariant.

    Attributes:
        pcqm: 0.0057 f3 + 0.9771 f4 + 0.0172 f6.
        f1, f2, f3: difference of the mean, of the spread and of the pattern of curvature, each 0 to 1.
        f4, f5, f6: the same of lightness; f6 can exceed 1, where patterns are opposite.
        f7, f8: difference of mean chroma and mean difference of hue, 0 to 1; None without `chroma_tables`.
    """

    pcqm: float
    f1: float
    f2: float
    f3: float
    f4: float
    f5: float
    f6: float
    f7: float | None
    f8: float | None


def pcqm(
    pair: CloudPair,
    *,
    radius: float = 0.004,
    neighbors: int = 20,
    radius_factor: float = 2.0,
    chroma_tables: Path | None = None,
) -> Pcqm:
    """Compares curvature and colour around each reference point with those around its projection on the distorted one.

    The numbers are those of the program MEPP-team/PCQM, whose lengths are fractions of the reference's size M: the
    largest over x, y and z of abs(min) + abs(max), or abs(min) alone where max is negative. It changes when clouds are
    moved. Equal points are not merged, and colours are rounded to the 8 bits that the program reads.

    Where it differs from the program:
    - Which of equally near points is taken, as between voxels, goes by the program's tree, so that its result changes
      with the order of rows and axes (by 2 to 8 % on voxels, up to twofold after octree quantisation). Here clouds are
      first sorted by x, y, z, red, green, blue, and the first of the equally near is the colour counterpart: the order
      of rows does not matter. So with the last of the `neighbors`, except where points lie thinner than around most:
      there it goes by SciPy's tree of the sorted points.
    - A neighbourhood of fewer than six points, or of points on one conic, has the basic solution of the program's
      column-pivoted QR. Axes that its points leave open (two points, points on a line) are here those of Jacobi's
      rotations.
    - A distorted cloud of fewer than `neighbors` points is fitted with all it has; the program repeats its first row.

    Args:
        pair: the clouds; both need colours.
        radius: of the neighbourhoods for curvature, as a fraction of M; the program's `-r`.
        neighbors: points of the distorted cloud that a projection is fitted to; `-knn`.
        radius_factor: the radius of the statistics in units of `radius`; `-rx`.
        chroma_tables: folder `resources` of the program, for f7 and f8, which are no part of PCQM; see `lab2000hl`.

    Raises:
        InputError: no colours; tables that cannot be read; an option out of range; all reference points at the origin
            (M = 0); or coordinates too large or too small for float64 to hold their fourth powers.
    """
    if not 1e-6 <= radius < np.inf:
        raise InputError(f"PCQM expected a radius of 1e-6 or more, a fraction of the cloud's size, got {radius:g}")
    if neighbors < 1:
        raise InputError(f"PCQM expected neighbors of 1 or more, got {neighbors}")
    if not 0 < radius_factor <= 100:
        raise InputError(f"PCQM expected a radius_factor above 0, up to 100, got {radius_factor:g}")
    colors_a, colors_b = pair.require_colors("PCQM")
    size = _size(pair.reference)
    _require_moderate(pair.distorted)
    (points_a, rgb_a), (points_b, rgb_b) = of_both(
        _sorted, (pair.reference_points.points, colors_a), (pair.distorted_points.points, colors_b)
    )
    length = radius * size

    frame = CellFrame.around(points_a, length, max(1, int(np.ceil(radius_factor))))
    grid_a, grid_b = of_both(RadiusGrid.of, (points_a, frame), (points_b, frame))
    queries = points_a[grid_a.order]
    rows = grid_neighbors(queries, points_b, min(neighbors, len(points_b)))
    nearest = rows[:, 0]
    colors = rgb_a[grid_a.order], rgb_b[nearest]
    lightness = of_both(lightness_2000hl, (colors[0],), (colors[1],))
    fields = np.vstack(
        [
            projections(queries, points_b, rows).T,
            local_curvatures(grid_a, grid_a, frame, length) * size,
            local_curvatures(grid_a, grid_b, frame, length) * size,
            *lightness,
            *_chroma_fields(*colors, chroma_tables),
        ]
    )
    means = local_features(grid_a, fields, frame, length * radius_factor).mean(axis=0)
    f1, f2, f3, f4, f5, f6, f7, f8 = (float(mean) for mean in means)
    score = 0.0057 * f3 + 0.9771 * f4 + 0.0172 * f6
    return Pcqm(score, f1, f2, f3, f4, f5, f6, *((f7, f8) if chroma_tables is not None else (None, None)))


def _chroma_fields(
    rgb_a: UInt8[np.ndarray, "p 3"], rgb_b: UInt8[np.ndarray, "p 3"], tables: Path | None
) -> Float[np.ndarray, "3 p"]:
    """Chroma of both, and the part of their distance that is hue."""
    if tables is None:
        return np.zeros((3, len(rgb_a)))
    a, b = chroma_2000hl(rgb_a, tables), chroma_2000hl(rgb_b, tables)
    chroma_a, chroma_b = np.hypot(*a.T), np.hypot(*b.T)
    hue_squares = np.square(a - b).sum(axis=1) - (chroma_a - chroma_b) ** 2
    return np.stack([chroma_a, chroma_b, np.sqrt(np.maximum(hue_squares, 0.0))])


def _size(cloud: Cloud) -> float:
    points = cloud.points.astype(np.float64)
    # The program's running maximum starts just above 0.
    size = float((np.abs(points.min(axis=0)) + np.maximum(points.max(axis=0), 0.0)).max())
    if size == 0:
        raise InputError(
            f"{cloud.name}: all points lie at the origin: PCQM has no unit of length; move both clouds away"
        )
    if size < 1 / LARGEST:
        raise InputError(
            f"{cloud.name}: PCQM expected coordinates above {1 / LARGEST:g}, got {size:g}; scale the clouds"
        )
    _require_moderate(cloud)
    return size


def _require_moderate(cloud: Cloud) -> None:
    largest = float(max(abs(cloud.points.min()), abs(cloud.points.max())))
    if largest > LARGEST:
        raise InputError(
            f"{cloud.name}: PCQM expected coordinates up to {LARGEST:g}, got {largest:g}; scale the clouds"
        )


def _sorted(
    points: Float[np.ndarray, "p 3"], colors: np.ndarray
) -> tuple[Float[np.ndarray, "p 3"], UInt8[np.ndarray, "p 3"]]:
    rgb = np.rint(colors * 255.0).astype(np.uint8)
    order = np.lexsort(points.T[::-1])
    in_order = points[order]
    # Colours decide between equal points only; to sort all by six keys takes twice as long.
    same = (in_order[1:] == in_order[:-1]).all(axis=1)
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    rows = order[tied]
    order[tied] = rows[np.lexsort((*rgb[rows].T[::-1], *points[rows].T[::-1]))]
    return points[order], rgb[order]
