"""PointSSIM: structural similarity of clouds by Alexiou and Ebrahimi."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from pcqa.cloud import Cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.coordinate_limit import require_moderate_coordinates
from pcqa.metrics.dispersion import DISPERSIONS
from pcqa.metrics.feature_similarity import POOLINGS, feature_similarity
from pcqa.metrics.luminance import luminance
from pcqa.metrics.merged_points import merge_points
from pcqa.metrics.nearest_row import nearest_row
from pcqa.metrics.point_set import Nearest, PointSet
from pcqa.metrics.quadric_fit import quadric_fit
from pcqa.metrics.tied_neighbors import nearest_lowest_row
from pcqa.metrics.voxelization import guess_bits, voxel_coordinates
from pcqa.ops.distinct_points import distinct_points
from rankqa_datasets.errors import InputError

ATTRIBUTES = ("color", "geometry", "normal", "curvature")

Values = Callable[[np.ndarray, Nearest], np.ndarray]

# Rows whose neighbourhoods are worked on at once.
CHUNK = 1 << 17


@dataclass(frozen=True)
class PointSsim:
    """PointSSIM values; higher is better, 1 for a cloud and itself.

    Attributes:
        similarity_ab: pooled over the reference's points, each with its nearest distorted point.
        similarity_ba: pooled over the distorted points, each with its nearest reference point.
        similarity: the smaller of the two.
    """

    similarity_ab: float
    similarity_ba: float
    similarity: float


def point_ssim(
    pair: CloudPair,
    *,
    attribute: str = "color",
    dispersion: str = "VAR",
    pooling: str = "Mean",
    neighbors: int = 12,
    voxel_bits: int | None = None,
    input_bits: int | None = None,
    fit_radius: float | None = None,
) -> PointSsim:
    """How alike the spread of an attribute is around points and their nearest neighbours in the other cloud.

    Each cloud's equal points are merged, colours by their rounded mean. Around each point, its `neighbors` nearest in
    its own cloud give a set of values:
    - color: BT.709 luma, rounded to 8 bits, of all of them;
    - geometry: distances to them, the point itself left out;
    - normal: 1 - 2 acos(|n . n_j|) / pi with each but itself;
    - curvature: mean curvatures of all of them.
    The dispersions F of two paired sets have similarity 1 - |F_X - F_Y| / (max(|F_X|, |F_Y|) + 2.2e-16), pooled over
    the points. Of equally near points, those that come first by (x, y, z) are taken, as MATLAB's search does.

    Source: Alexiou and Ebrahimi, "Towards a point cloud structural similarity metric", ICMEW 2020. Ours where its
    program's details are not followed or not known: the textbook's mean curvature, without sign (the program swaps
    terms); one `fit_radius` and one grid for both clouds, both from the reference; normals always from the fits, never
    from files; poolings of the similarities, not of the errors.

    Args:
        pair: distances and curvatures are in its unit, but all similarities stay when both clouds are scaled alike
            (with `fit_radius` scaled as well).
        attribute: one of ATTRIBUTES; 'color' needs colours.
        dispersion: a name of DISPERSIONS.
        pooling: a name of POOLINGS.
        neighbors: size of a neighbourhood, the point included; at least 3.
        voxel_bits: move the points to a grid of 2^voxel_bits voxels a side first (the paper: 9). Default: as they are.
        input_bits: with `voxel_bits`, the grid that coordinates are given in. Default: guessed from the reference's
            box as ceil(log2(longest side - 10)).
        fit_radius: of the fits for normals and curvatures. Default: 1 % of the longest side of the reference's box,
            rounded to a whole number.

    Raises:
        InputError: an unknown name, fewer than `neighbors` distinct points in a cloud, no colours for 'color',
            coordinates too small for a default or beyond 1e100, bits outside 1 to 400, or a `fit_radius` that is not
            positive or below a millionth of a cloud's side.
    """
    for kind, name, table in (
        ("an attribute", attribute, ATTRIBUTES),
        ("a dispersion", dispersion, DISPERSIONS),
        ("a pooling", pooling, POOLINGS),
    ):
        if name not in table:
            raise InputError(f"PointSSIM expected {kind} of {', '.join(table)}, got '{name}'")
    if neighbors < 3:
        raise InputError(f"PointSSIM expected at least 3 neighbors, got {neighbors}")
    require_moderate_coordinates(pair.reference, pair.distorted)
    if voxel_bits is not None and input_bits is None:
        input_bits = guess_bits(pair.reference)
    colors = pair.require_colors("PointSSIM") if attribute == "color" else (None, None)
    if attribute in ("normal", "curvature") and fit_radius is None:
        fit_radius = _default_radius(pair.reference, voxel_bits, input_bits)
    a, b = (
        _Surface(cloud, cloud_colors, neighbors, voxel_bits, input_bits, fit_radius)
        for cloud, cloud_colors in zip((pair.reference, pair.distorted), colors, strict=True)
    )
    spread_a, spread_b = (_spreads(surface, attribute, dispersion) for surface in (a, b))
    pool = POOLINGS[pooling]
    ab = pool(feature_similarity(spread_a, spread_b[nearest_row(b.points, a.points)]))
    ba = pool(feature_similarity(spread_b, spread_a[nearest_row(a.points, b.points)]))
    return PointSsim(similarity_ab=ab, similarity_ba=ba, similarity=min(ab, ba))


class _Surface:
    """A cloud's distinct points and what they carry."""

    def __init__(
        self,
        cloud: Cloud,
        colors: np.ndarray | None,
        neighbors: int,
        voxel_bits: int | None,
        input_bits: int | None,
        fit_radius: float | None,
    ) -> None:
        points = cloud.points.astype(np.float64)
        if voxel_bits is not None and input_bits is not None:
            points = voxel_coordinates(points, bits=voxel_bits, input_bits=input_bits)
        if colors is None:
            points, self.rgb = distinct_points(points), None
        else:
            merged = merge_points(points, colors)
            points, self.rgb = merged.points, merged.rgb
        if len(points) < neighbors:
            raise InputError(
                f"{cloud.name}: PointSSIM expected at least {neighbors} distinct points, got {len(points)}; "
                f"give fewer neighbors="
            )
        self.points = PointSet(points)
        self.neighbors = neighbors
        self._fit_radius = fit_radius
        self._name = cloud.name

    @cached_property
    def fit(self) -> tuple[np.ndarray, np.ndarray]:
        """Normals and curvatures."""
        return quadric_fit(self.points.points, self._fit_radius or 0.0, name=self._name)


def _spreads(surface: _Surface, attribute: str, dispersion: str) -> Float[np.ndarray, " p"]:
    spread = np.empty(len(surface.points))
    values = _VALUES[attribute](surface)
    for first in range(0, len(spread), CHUNK):
        rows = np.arange(first, min(first + CHUNK, len(spread)))
        nearest = nearest_lowest_row(surface.points, surface.points.points[rows], surface.neighbors)
        spread[rows] = DISPERSIONS[dispersion](values(rows, nearest))
    return spread


def _luma(surface: _Surface) -> Values:
    luma = luminance(np.empty((0, 3)) if surface.rgb is None else surface.rgb)
    return lambda rows, nearest: luma[nearest.rows]


def _distances(surface: _Surface) -> Values:
    return lambda rows, nearest: nearest.distances[:, 1:]


def _normal_likeness(surface: _Surface) -> Values:
    normals, _ = surface.fit

    def values(rows: np.ndarray, nearest: Nearest) -> np.ndarray:
        own, others = normals[rows, None], normals[nearest.rows[:, 1:]]
        # The arc cosine of 1 - 1e-16 is 1e-8: on planes, the spread would be one of rounding errors.
        sines = np.sqrt(np.square(np.cross(own, others)).sum(axis=2))
        return 1 - 2 * np.arctan2(sines, np.abs((own * others).sum(axis=2))) / np.pi

    return values


def _curvatures(surface: _Surface) -> Values:
    _, curvatures = surface.fit
    return lambda rows, nearest: curvatures[nearest.rows]


# Of points, by row, and their neighbours, themselves first: the (rows, k) values whose spread is compared.
_VALUES = {
    "color": _luma,
    "geometry": _distances,
    "normal": _normal_likeness,
    "curvature": _curvatures,
}


def _default_radius(reference: Cloud, voxel_bits: int | None, input_bits: int | None) -> float:
    points = reference.points.astype(np.float64)
    if voxel_bits is not None and input_bits is not None:
        points = voxel_coordinates(points, bits=voxel_bits, input_bits=input_bits)
    side = float(np.ptp(points, axis=0).max())
    radius = float(np.floor(0.01 * side + 0.5))
    if radius == 0:
        raise InputError(
            f"{reference.name}: PointSSIM fits surfaces within 1 % of the longest side, rounded, which is 0 for a side "
            f"of {side:g}; give fit_radius= or scale both clouds alike"
        )
    return radius
