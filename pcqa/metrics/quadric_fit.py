"""Normals and mean curvatures of a cloud from quadrics fitted to the points around each."""

from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit, prange

from rankqa_datasets.errors import InputError

# Cells along an axis: three axes fit into the 63 bits of a key.
MOST_CELLS = 1 << 20
# Directions of the least-squares system with less than this share of the largest eigenvalue are left out.
RANK_TOLERANCE = 1e-9
# A mean curvature of less than this over the radius is a rounding error: 0, so that flat stays flat.
FLAT = 1e-8


def quadric_fit(
    points: Float[np.ndarray, "p 3"], radius: float, *, name: str = "cloud"
) -> tuple[Float[np.ndarray, "p 3"], Float[np.ndarray, " p"]]:
    """Unit normals, of any sign, and absolute mean curvatures, one over the cloud's unit.

    The points within `radius` of a point, itself included, give a frame by their principal axes, the origin at the
    point and z along the least axis. In it z = a x^2 + b y^2 + c xy + d x + e y + f is fitted by least squares, the
    solution of least norm where it is not unique (fewer than six points, points on a conic). With zx = d, zy = e,
    zxx = 2a, zyy = 2b and zxy = c the normal is (-zx, -zy, 1) and the mean curvature
    ((1 + zx^2) zyy + (1 + zy^2) zxx - 2 zx zy zxy) / (2 (1 + zx^2 + zy^2)^1.5). Its sign would hang on that of the
    frame, which is arbitrary, so that it is dropped. A point with no plane around it (alone, or in a straight line) has
    an arbitrary normal, the same in each run, and curvature 0.

    Time grows with the number of neighbours, memory only with the points.

    Args:
        points: (P, 3). Their order changes the results by rounding; sort them to have the same bits.
        radius: in their unit.
        name: how messages call the cloud.

    Raises:
        InputError: the radius is not positive, or so small that a grid of such cells cannot be numbered.
    """
    extent = float(np.ptp(points, axis=0).max())
    if not 0 < radius < np.inf or extent / radius >= MOST_CELLS - 2:
        raise InputError(
            f"{name}: expected a radius for fits between {extent / (MOST_CELLS - 2):g}, 1e-6 of its longest side, "
            f"and infinity, got {radius:g}; remove far points or give another radius"
        )
    # In radii, so that the powers of a fit are near 1. Cells of one radius: neighbours are in the next ones.
    scaled = (points - points.min(axis=0)) / radius
    cells = scaled.astype(np.int64) + 1
    keys = (cells[:, 0] * MOST_CELLS + cells[:, 1]) * MOST_CELLS + cells[:, 2]
    order = np.argsort(keys, kind="stable")
    normals, curvatures = np.empty((len(points), 3)), np.empty(len(points))
    _fit_all(scaled[order], *_neighboring_rows(keys[order]), order, normals, curvatures)
    return normals, np.where(curvatures < FLAT, 0, curvatures) / radius


def _neighboring_rows(keys: Int[np.ndarray, " p"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per sorted row its cell, and per cell the nine ranges of sorted rows that hold the points of its 27 neighbours.

    Three cells that follow each other along z are one range of keys.
    """
    distinct, cell = np.unique(keys, return_inverse=True)
    columns = np.array([(dx * MOST_CELLS + dy) * MOST_CELLS for dx in (-1, 0, 1) for dy in (-1, 0, 1)])
    middle = distinct[:, None] + columns
    return cell, np.searchsorted(keys, middle - 1, "left"), np.searchsorted(keys, middle + 1, "right")


@njit(parallel=True, cache=True)
@no_type_check
def _fit_all(points, cell, first, last, order, normals, curvatures):
    for i in prange(len(points)):
        curvatures[order[i]] = _fit_one(i, points, first[cell[i]], last[cell[i]], normals[order[i]])


@njit(cache=True)
@no_type_check
def _fit_one(i, points, first, last, normal):
    """Writes the normal and returns the curvature of one point; the radius is 1."""
    count = 0
    total = np.zeros(3)
    squares = np.zeros((3, 3))
    for part in range(9):
        for j in range(first[part], last[part]):
            x, y, z = points[j, 0] - points[i, 0], points[j, 1] - points[i, 1], points[j, 2] - points[i, 2]
            if x * x + y * y + z * z <= 1.0:
                count += 1
                total[0] += x
                total[1] += y
                total[2] += z
                squares[0, 0] += x * x
                squares[1, 0] += x * y
                squares[1, 1] += y * y
                squares[2, 0] += x * z
                squares[2, 1] += y * z
                squares[2, 2] += z * z
    for row in range(3):
        for column in range(row + 1):
            squares[row, column] -= total[row] * total[column] / count
            squares[column, row] = squares[row, column]
    axes = np.linalg.eigh(squares)[1]  # the least first

    system = np.zeros((6, 6))
    right = np.zeros(6)
    terms = np.empty(6)
    for part in range(9):
        for j in range(first[part], last[part]):
            x, y, z = points[j, 0] - points[i, 0], points[j, 1] - points[i, 1], points[j, 2] - points[i, 2]
            if x * x + y * y + z * z <= 1.0:
                u = x * axes[0, 2] + y * axes[1, 2] + z * axes[2, 2]
                v = x * axes[0, 1] + y * axes[1, 1] + z * axes[2, 1]
                height = x * axes[0, 0] + y * axes[1, 0] + z * axes[2, 0]
                terms[0], terms[1], terms[2], terms[3], terms[4], terms[5] = u * u, v * v, u * v, u, v, 1.0
                for row in range(6):
                    right[row] += terms[row] * height
                    for column in range(row + 1):
                        system[row, column] += terms[row] * terms[column]
    for row in range(6):
        for column in range(row):
            system[column, row] = system[row, column]
    strengths, directions = np.linalg.eigh(system)
    fitted = np.zeros(6)
    for k in range(6):
        if strengths[k] > RANK_TOLERANCE * strengths[5]:
            amount = 0.0
            for row in range(6):
                amount += directions[row, k] * right[row]
            for row in range(6):
                fitted[row] += amount / strengths[k] * directions[row, k]
    zxx, zyy, zxy, zx, zy = 2 * fitted[0], 2 * fitted[1], fitted[2], fitted[3], fitted[4]
    steepness = 1 + zx * zx + zy * zy
    for axis in range(3):
        normal[axis] = (axes[axis, 0] - zx * axes[axis, 2] - zy * axes[axis, 1]) / np.sqrt(steepness)
    return abs((1 + zx * zx) * zyy + (1 + zy * zy) * zxx - 2 * zx * zy * zxy) / (2 * steepness**1.5)
