"""MPED: potential energies of colour and position around key points, compared at two scales."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from pcqa.cloud import Cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.coordinate_limit import require_moderate_coordinates
from pcqa.metrics.key_points import choose_key_points
from pcqa.metrics.merged_points import rounded
from pcqa.metrics.ordered_points import ordered_points
from pcqa.metrics.point_set import PointSet
from pcqa.metrics.tied_neighbors import nearest_lowest_row
from rankqa_datasets.errors import InputError

SCALES = (5, 10)

# Rows of each matrix: the channels, of 8-bit red, green, blue. With them, what a difference in each channel counts.
COLOR_SPACES = {
    "RGB": (np.eye(3), np.array([1.0, 2, 1])),
    # As GraphSIM's.
    "LMN": (np.array([[0.06, 0.63, 0.27], [0.30, 0.04, -0.35], [0.34, -0.60, 0.17]]), np.array([6.0, 1, 1])),
    # As the program has it: BT.601's, with -0.1678 for -0.1687.
    "YUV": (
        np.array([[0.299, 0.587, 0.114], [-0.1678, -0.3313, 0.5], [0.5, -0.4187, -0.0813]]),
        np.array([6.0, 1, 1]),
    ),
}


@dataclass(frozen=True, eq=False)
class Mped:
    """MPED's values and where it looked; lower is better, 0 for a cloud and itself.

    Attributes:
        difference: mean of the two scales.
        difference_5: mean difference of the energies of 5 neighbours, relative to their distance in the reference.
        difference_10: the same of 10.
        key_points: rows of the reference, to be stored and given again.
    """

    difference: float
    difference_5: float
    difference_10: float
    key_points: Int[np.ndarray, " keys"]


def mped(
    pair: CloudPair,
    *,
    color_space: str = "RGB",
    seed: int = 0,
    key_points: Int[np.ndarray, " keys"] | None = None,
    points_per_key_point: int = 10_000,
) -> Mped:
    """Multiscale potential energy discrepancy.

    The k nearest neighbours of a key point, at distances d and with the mass m = sqrt(w . |colour difference| + 1)
    against the key point's 8-bit colour, have the energy sum m d^2 / sqrt(d^2 + 1). At each scale k: the mean over the
    key points of |E_reference - E_distorted| / k, divided by the root mean square distance to the reference's
    neighbours. One direction only: the key points are the reference's. The key point is its own first neighbour in the
    reference. Of equally near points, the first by (x, y, z) and colour is taken. Not free of the unit: the 1 under the
    root is a squared length.

    Source: Yang, Zhang, Chen, Xu, Sun, Ma, "MPED: Quantifying point cloud distortion based on multiscale potential
    energy discrepancy", IEEE TPAMI 2023, by the formulas and constants of its program (Qi-Yangsjtu/MPED, HVS task),
    which was read, not run, as it is MATLAB's; here in double precision.

    Args:
        pair: both with colours, with 10 points at least.
        color_space: of COLOR_SPACES: differences of RGB count 1, 2, 1 (the program's demonstration), of LMN and YUV
            6, 1, 1.
        seed: of the draw of key points; a fixed choice, as another one changes the value.
        key_points: rows of the reference to take instead of drawing them.
        points_per_key_point: one key point is drawn for so many points, at least one; more are slower and steadier.

    Raises:
        InputError: an unknown colour space, no colours, fewer than 10 points, rows outside the reference, coordinates
            beyond 1e100, or key points all of whose 5 nearest points coincide with them.
    """
    if color_space not in COLOR_SPACES:
        raise InputError(f"MPED expected a color_space of {', '.join(COLOR_SPACES)}, got '{color_space}'")
    colors_a, colors_b = pair.require_colors("MPED")
    for cloud in (pair.reference, pair.distorted):
        if cloud.num_points < max(SCALES):
            raise InputError(f"{cloud.name}: MPED needs {max(SCALES)} points, got {cloud.num_points}")
    require_moderate_coordinates(pair.reference, pair.distorted)
    rows = choose_key_points(pair.reference, seed=seed, rows=key_points, points_per_key_point=points_per_key_point)
    places = pair.reference_points.points[rows]
    colors = rounded(255 * colors_a[rows].astype(np.float64))
    near_a = _terms(ordered_points(pair.reference_points.points, colors_a), places, colors, color_space)
    near_b = _terms(ordered_points(pair.distorted_points.points, colors_b), places, colors, color_space)
    five, ten = (_discrepancy(near_a, near_b, k, pair.reference) for k in SCALES)
    return Mped(difference=(five + ten) / 2, difference_5=five, difference_10=ten, key_points=rows)


@dataclass(frozen=True, eq=False)
class _Terms:
    """Squared distances and energies of the neighbours of each key point, nearest first."""

    squares: Float[np.ndarray, "keys k"]
    energies: Float[np.ndarray, "keys k"]


def _terms(points: Float[np.ndarray, "p 6"], places: np.ndarray, colors: np.ndarray, color_space: str) -> _Terms:
    rows = nearest_lowest_row(PointSet(points[:, :3]), places, max(SCALES)).rows
    channels, weights = COLOR_SPACES[color_space]
    # Differences first: equal colours differ by exactly 0 in every space.
    differences = abs((points[rows, 3:] - colors[:, None]) @ channels.T)
    squares = np.square(points[rows, :3] - places[:, None]).sum(axis=2)
    return _Terms(squares, np.sqrt(differences @ weights + 1) * squares / np.sqrt(squares + 1))


def _discrepancy(near_a: _Terms, near_b: _Terms, k: int, reference: Cloud) -> float:
    spacing = float(np.sqrt(near_a.squares[:, :k].mean()))
    if spacing == 0:
        raise InputError(
            f"{reference.name}: the {k} nearest points of every key point lie on it, so that MPED has no scale; "
            f"remove repeated points first"
        )
    differences = abs(near_a.energies[:, :k].sum(axis=1) - near_b.energies[:, :k].sum(axis=1))
    return float(differences.mean() / k / spacing)
