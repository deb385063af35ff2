"""A quadric through a neighbourhood, in the frame of its principal axes; compiled, for loops over neighbourhoods."""

from typing import no_type_check

import numpy as np
from numba import njit

# A pivot of the scaled normal equations that keeps less than this of its column leaves too few digits: QR then.
LEAST_PIVOT = 1e-7

EPSILON = 2.0**-52


# Sums over neighbours may be taken in another order, several terms at once.
_SUMS = {"reassoc", "contract", "nsz"}


@njit(cache=True)
@no_type_check
def new_scratch():
    """Working memory for `fit_quadric`, for any number of calls one after the other."""
    return np.empty((7, 6)), np.empty((2, 6)), np.empty(6, np.int64)


@njit(cache=True)
@no_type_check
def fit_quadric(offsets, count, coefficients, frame, scratch):
    """Least squares for z = a x^2 + b y^2 + c x y + d x + e y + f along the principal axes of the offsets.

    Six points in general position or more have one solution, found by normal equations on offsets of unit size.
    Others get the solution of MEPP-team/PCQM (Eigen's ColPivHouseholderQR), which depends on the unit of length:
    columns are taken by decreasing norm, and those not needed get coefficient 0.

    Args:
        offsets: (3, N) neighbours less the origin; the first `count` are used. Zero of them: all coefficients are 0.
        count: number of neighbours.
        coefficients: (6,) float64, receives a, b, c, d, e, f in the offsets' unit.
        frame: (3, 3) float64, receives the axes in its columns: z (the normal, least spread), y, x.
        scratch: of `new_scratch`.
    """
    normal, norms, names = scratch
    coefficients[:] = 0.0
    _covariance(offsets[0], offsets[1], offsets[2], count, normal)
    size = np.sqrt(normal[3, 0])
    principal_axes(normal, frame)
    if count >= 6 and size > 0.0:
        _normal_equations(offsets[0], offsets[1], offsets[2], count, size, frame, normal)
        if _solve(normal, coefficients):
            for i in range(3):
                coefficients[i] /= size
            coefficients[5] *= size
            return
    if count > 0:
        _by_pivoted_qr(
            offsets,
            count,
            coefficients,
            frame,
            normal if count <= 6 else np.empty((7, count)),
            norms[0],
            norms[1],
            names,
        )


@njit(cache=True, fastmath=_SUMS)
@no_type_check
def _covariance(x, y, z, count, out):
    """Covariance of the offsets into the first (3, 3) of `out`, their mean square length beside it at [3, 0]."""
    sx = sy = sz = xx = yy = zz = xy = xz = yz = 0.0
    for k in range(count):
        sx += x[k]
        sy += y[k]
        sz += z[k]
        xx += x[k] * x[k]
        yy += y[k] * y[k]
        zz += z[k] * z[k]
        xy += x[k] * y[k]
        xz += x[k] * z[k]
        yz += y[k] * z[k]
    share = 1.0 / max(count, 1)
    sx *= share
    sy *= share
    sz *= share
    out[0, 0] = xx * share - sx * sx
    out[1, 1] = yy * share - sy * sy
    out[2, 2] = zz * share - sz * sz
    out[0, 1] = out[1, 0] = xy * share - sx * sy
    out[0, 2] = out[2, 0] = xz * share - sx * sz
    out[1, 2] = out[2, 1] = yz * share - sy * sz
    out[3, 0] = (xx + yy + zz) * share


@njit(cache=True)
@no_type_check
def mean_curvature(coefficients):
    """Mean curvature of the fitted quadric at x = y = 0; its sign depends on that of the normal."""
    zxx = 2.0 * coefficients[0]
    zyy = 2.0 * coefficients[1]
    zxy = coefficients[2]
    zx = coefficients[3]
    zy = coefficients[4]
    bend = (1.0 + zx * zx) * zyy + (1.0 + zy * zy) * zxx - 2.0 * zxy * zx * zy
    return 0.5 * bend / (1.0 + zx * zx + zy * zy) ** 1.5


@njit(cache=True)
@no_type_check
def principal_axes(symmetric, axes):
    """Eigenvectors of a (3, 3) matrix by Jacobi's rotations, in columns by increasing eigenvalue; destroys the matrix.

    The zero matrix has the axes x, y, z in this order.
    """
    for i in range(3):
        for j in range(3):
            axes[i, j] = 1.0 if i == j else 0.0
    for _ in range(30):
        beside = abs(symmetric[0, 1]) + abs(symmetric[0, 2]) + abs(symmetric[1, 2])
        if beside <= 1e-18 * (abs(symmetric[0, 0]) + abs(symmetric[1, 1]) + abs(symmetric[2, 2])):
            break
        for p in range(2):
            for q in range(p + 1, 3):
                if symmetric[p, q] == 0.0:
                    continue
                theta = (symmetric[q, q] - symmetric[p, p]) / (2.0 * symmetric[p, q])
                if abs(theta) > 1e150:  # its square would overflow
                    tangent = 0.5 / theta
                else:
                    tangent = 1.0 / (abs(theta) + np.sqrt(theta * theta + 1.0))
                    if theta < 0.0:
                        tangent = -tangent
                cosine = 1.0 / np.sqrt(tangent * tangent + 1.0)
                sine = tangent * cosine
                r = 3 - p - q
                symmetric[p, p] -= tangent * symmetric[p, q]
                symmetric[q, q] += tangent * symmetric[p, q]
                symmetric[p, q] = symmetric[q, p] = 0.0
                rp = symmetric[r, p]
                rq = symmetric[r, q]
                symmetric[r, p] = symmetric[p, r] = cosine * rp - sine * rq
                symmetric[r, q] = symmetric[q, r] = sine * rp + cosine * rq
                for i in range(3):
                    ip = axes[i, p]
                    iq = axes[i, q]
                    axes[i, p] = cosine * ip - sine * iq
                    axes[i, q] = sine * ip + cosine * iq
    for last in (2, 1, 2):  # three exchanges sort three values
        if symmetric[last, last] < symmetric[last - 1, last - 1]:
            symmetric[last, last], symmetric[last - 1, last - 1] = symmetric[last - 1, last - 1], symmetric[last, last]
            for i in range(3):
                axes[i, last], axes[i, last - 1] = axes[i, last - 1], axes[i, last]


@njit(cache=True, fastmath=_SUMS)
@no_type_check
def _normal_equations(east, north, up, count, size, frame, normal):
    """Products of the columns x^2, y^2, xy, x, y, 1 in the lower triangle, and in the last row theirs with z."""
    # The sum of x^i y^j is s_ij, of x^i y^j z is z_ij.
    s40 = s31 = s22 = s13 = s04 = s30 = s21 = s12 = s03 = s20 = s11 = s02 = s10 = s01 = 0.0
    z20 = z02 = z11 = z10 = z01 = z00 = 0.0
    z0, z1, z2 = frame[0, 0] / size, frame[1, 0] / size, frame[2, 0] / size
    y0, y1, y2 = frame[0, 1] / size, frame[1, 1] / size, frame[2, 1] / size
    x0, x1, x2 = frame[0, 2] / size, frame[1, 2] / size, frame[2, 2] / size
    for k in range(count):
        x = x0 * east[k] + x1 * north[k] + x2 * up[k]
        y = y0 * east[k] + y1 * north[k] + y2 * up[k]
        z = z0 * east[k] + z1 * north[k] + z2 * up[k]
        xx = x * x
        yy = y * y
        xy = x * y
        s40 += xx * xx
        s31 += xx * xy
        s22 += xx * yy
        s13 += xy * yy
        s04 += yy * yy
        s30 += xx * x
        s21 += xx * y
        s12 += x * yy
        s03 += yy * y
        s20 += xx
        s11 += xy
        s02 += yy
        s10 += x
        s01 += y
        z20 += xx * z
        z02 += yy * z
        z11 += xy * z
        z10 += x * z
        z01 += y * z
        z00 += z
    normal[0, 0] = s40
    normal[1, 0], normal[1, 1] = s22, s04
    normal[2, 0], normal[2, 1], normal[2, 2] = s31, s13, s22
    normal[3, 0], normal[3, 1], normal[3, 2], normal[3, 3] = s30, s12, s21, s20
    normal[4, 0], normal[4, 1], normal[4, 2], normal[4, 3], normal[4, 4] = s21, s03, s12, s11, s02
    normal[5, 0], normal[5, 1], normal[5, 2], normal[5, 3], normal[5, 4], normal[5, 5] = s20, s02, s11, s10, s01, count
    normal[6, 0], normal[6, 1], normal[6, 2], normal[6, 3], normal[6, 4], normal[6, 5] = z20, z02, z11, z10, z01, z00


@njit(cache=True)
@no_type_check
def _solve(normal, solution):
    """Cholesky's method; False where the columns are nearly dependent."""
    for j in range(6):
        whole = normal[j, j]
        pivot = whole
        for k in range(j):
            pivot -= normal[j, k] * normal[j, k]
        if not pivot > LEAST_PIVOT * whole:
            return False
        pivot = np.sqrt(pivot)
        normal[j, j] = pivot
        # The last row becomes the right-hand side of the triangular system.
        for i in range(j + 1, 7):
            rest = normal[i, j]
            for k in range(j):
                rest -= normal[i, k] * normal[j, k]
            normal[i, j] = rest / pivot
    for i in range(5, -1, -1):
        rest = normal[6, i]
        for k in range(i + 1, 6):
            rest -= normal[k, i] * solution[k]
        solution[i] = rest / normal[i, i]
    return True


@njit(cache=True)
@no_type_check
def _along(offsets, k, frame, axis):
    return offsets[0, k] * frame[0, axis] + offsets[1, k] * frame[1, axis] + offsets[2, k] * frame[2, axis]


@njit(cache=True)
@no_type_check
def _by_pivoted_qr(offsets, count, coefficients, frame, columns, norms, direct, names):
    """The basic solution of a QR factorisation with column pivoting, in the offsets' own unit.

    The rest is scratch: `columns` for the columns of the system, each in a row, and z below them; norms of what is left
    of each column, and as last computed in full; the columns' places before the exchanges.
    """
    for k in range(count):
        x = _along(offsets, k, frame, 2)
        y = _along(offsets, k, frame, 1)
        columns[0, k] = x * x
        columns[1, k] = y * y
        columns[2, k] = x * y
        columns[3, k] = x
        columns[4, k] = y
        columns[5, k] = 1.0
        columns[6, k] = _along(offsets, k, frame, 0)
    largest = 0.0
    for j in range(6):
        names[j] = j
        norms[j] = direct[j] = np.sqrt(_dot(columns, j, j, 0, count))
        largest = max(largest, norms[j])
    least = (largest * EPSILON) ** 2 / count
    rank = min(count, 6)
    for k in range(min(count, 6)):
        pivot = k
        for j in range(k + 1, 6):
            if norms[j] > norms[pivot]:
                pivot = j
        # What is left of every column is rounding: the columns before span the others.
        length = np.sqrt(_dot(columns, pivot, pivot, k, count))
        if norms[pivot] ** 2 < least * (count - k) or length == 0.0:
            rank = k
            break
        if pivot != k:
            for i in range(count):
                columns[k, i], columns[pivot, i] = columns[pivot, i], columns[k, i]
            names[k], names[pivot] = names[pivot], names[k]
            norms[pivot] = norms[k]
            direct[pivot] = direct[k]
        if k + 1 == count:
            break  # a single row is triangular as it stands
        # Householder's reflection of column k onto its first entry, applied to the others and to z.
        diagonal = -length if columns[k, k] >= 0.0 else length
        columns[k, k] -= diagonal
        half = 0.5 * _dot(columns, k, k, k, count)
        for j in range(k + 1, 7):
            factor = _dot(columns, k, j, k, count) / half
            for i in range(k, count):
                columns[j, i] -= factor * columns[k, i]
        columns[k, k] = diagonal
        for j in range(k + 1, 6):
            if norms[j] == 0.0:
                continue
            # LAPACK working note 176: the norm less the row just done, computed anew once too few digits are left.
            share = abs(columns[j, k]) / norms[j]
            left = max((1.0 + share) * (1.0 - share), 0.0)
            if left * (norms[j] / direct[j]) ** 2 <= np.sqrt(EPSILON):
                norms[j] = direct[j] = np.sqrt(_dot(columns, j, j, k + 1, count))
            else:
                norms[j] *= np.sqrt(left)
    for i in range(rank - 1, -1, -1):
        rest = columns[6, i]
        for k in range(i + 1, rank):
            rest -= columns[k, i] * coefficients[names[k]]
        coefficients[names[i]] = rest / columns[i, i]


@njit(cache=True)
@no_type_check
def _dot(columns, left, right, first, last):
    # Of a table and not of its rows, whose views would cost more than the products.
    total = 0.0
    for i in range(first, last):
        total += columns[left, i] * columns[right, i]
    return total
