"""PCQM's eight features around each reference point."""

from typing import no_type_check

import numpy as np
from jaxtyping import Float
from numba import njit, prange

from pcqa.ops.radius_grid import BLOCK, CellFrame, RadiusGrid, near_runs, new_cursors

# Rows of the fields that `local_features` takes.
FIELDS = (
    "projected_x",
    "projected_y",
    "projected_z",
    "curvature_a",
    "curvature_b",
    "lightness_a",
    "lightness_b",
    "chroma_a",
    "chroma_b",
    "hue_difference",
)


def local_features(
    reference: RadiusGrid, fields: Float[np.ndarray, "fields p"], frame: CellFrame, radius: float
) -> Float[np.ndarray, "p 8"]:
    """F1 to F8 over the reference points nearer than `radius` to each, with Gaussian weights of deviation radius / 2.

    Args:
        reference: the sorted reference; fields and result are in its order.
        fields: the rows `FIELDS`, `_a` of the reference point and `_b` of its counterpart in the distorted cloud.
        frame: that of the reference, whose reach covers `radius`.
        radius: in the unit of the points.
    """
    return _local_features(
        reference.points,
        reference.keys,
        reference.starts,
        frame.shape,
        frame.reach,
        np.ascontiguousarray(fields),
        radius,
    )


@njit(cache=True, fastmath={"reassoc", "contract", "nsz", "nnan"})
@no_type_check
def _gaussian(exponent):
    """exp(-exponent), of positive numbers to 13 digits; as a polynomial, for the compiler to take several at once.

    Beyond 64 it stays at exp(-64): beside the weight 1 of the point itself that is nothing.
    """
    t = -min(exponent, 64.0) / 256.0
    power = 1 / 40320
    for factor in (1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0):
        power = power * t + factor
    for _ in range(8):
        power *= power
    return power


# Sums may be taken in another order ("reassoc"), several terms at once, by the same code on any number of threads.
@njit(parallel=True, cache=True, fastmath={"reassoc", "contract", "nsz", "nnan"})
@no_type_check
def _local_features(points, keys, starts, shape, reach, fields, radius):
    features = np.empty((points.shape[1], 8))
    exponent = 0.5 / (radius / 2) ** 2
    for block in prange((len(keys) + BLOCK - 1) // BLOCK):
        cursors, runs = new_cursors(reach), np.empty(((2 * reach + 1) ** 2, 2), np.int64)
        buffer = np.empty((3 + len(fields), 64))
        for cell in range(block * BLOCK, min((block + 1) * BLOCK, len(keys))):
            found, held = near_runs(keys[cell], keys, starts, shape, reach, cursors, runs)
            # All points of a cell look through the same runs: lay them end to end.
            if held > buffer.shape[1]:
                buffer = np.empty((3 + len(fields), 2 * held))
            filled = 0
            for run in range(found):
                for j in range(runs[run, 0], runs[run, 1]):
                    for axis in range(3):
                        buffer[axis, filled] = points[axis, j]
                    for field in range(len(fields)):
                        buffer[3 + field, filled] = fields[field, j]
                    filled += 1
            x, y, z, px, py, pz = buffer[0], buffer[1], buffer[2], buffer[3], buffer[4], buffer[5]
            curvature_a, curvature_b, lightness_a, lightness_b = buffer[6], buffer[7], buffer[8], buffer[9]
            chroma_a, chroma_b, hue = buffer[10], buffer[11], buffer[12]
            for i in range(starts[cell], starts[cell + 1]):
                # Moments are of differences to the point's own values, so that a constant field has variance 0 exactly.
                # Names: w, v: weights by distances in the reference, between projections; k curvature, l lightness.
                n = w_sum = v_sum = 0.0
                w_ka = w_kb = v_kb = w_kaka = v_kbkb = w_kakb = 0.0
                w_la = v_lb = w_lala = v_lblb = 0.0
                la_sum = lb_sum = la_la = lb_lb = la_lb = 0.0
                w_ca = v_cb = w_h = 0.0
                for j in range(held):
                    square = (x[j] - points[0, i]) ** 2 + (y[j] - points[1, i]) ** 2 + (z[j] - points[2, i]) ** 2
                    projected = (px[j] - fields[0, i]) ** 2 + (py[j] - fields[1, i]) ** 2 + (pz[j] - fields[2, i]) ** 2
                    one = 1.0 if square < radius * radius else 0.0
                    w = one * _gaussian(square * exponent)
                    v = one * _gaussian(projected * exponent)
                    ka = curvature_a[j] - fields[3, i]
                    kb = curvature_b[j] - fields[4, i]
                    la = lightness_a[j] - fields[5, i]
                    lb = lightness_b[j] - fields[6, i]
                    n += one
                    w_sum += w
                    v_sum += v
                    w_ka += w * ka
                    w_kb += w * kb
                    v_kb += v * kb
                    w_kaka += w * ka * ka
                    v_kbkb += v * kb * kb
                    w_kakb += w * ka * kb
                    w_la += w * la
                    v_lb += v * lb
                    w_lala += w * la * la
                    v_lblb += v * lb * lb
                    la_sum += one * la
                    lb_sum += one * lb
                    la_la += one * la * la
                    lb_lb += one * lb * lb
                    la_lb += one * la * lb
                    w_ca += w * chroma_a[j]
                    v_cb += v * chroma_b[j]
                    w_h += w * hue[j]
                # Curvature: F1 to F3. The covariance has the weights w, around means by w and v.
                mean_a = w_ka / w_sum
                mean_b = v_kb / v_sum
                sigma_a = np.sqrt(max(w_kaka / w_sum - mean_a * mean_a, 0.0))
                sigma_b = np.sqrt(max(v_kbkb / v_sum - mean_b * mean_b, 0.0))
                covariance = (w_kakb - mean_a * w_kb - mean_b * w_ka) / w_sum + mean_a * mean_b
                whole_a = mean_a + fields[3, i]
                whole_b = mean_b + fields[4, i]
                features[i, 0] = abs(whole_a - whole_b) / (max(whole_a, whole_b) + 1.0)
                features[i, 1] = abs(sigma_a - sigma_b) / (max(sigma_a, sigma_b) + 1.0)
                features[i, 2] = min(1.0, abs(sigma_a * sigma_b - covariance) / (sigma_a * sigma_b + 1.0))
                # Lightness: F4 to F6, the last with moments without weights.
                mean_a = w_la / w_sum
                mean_b = v_lb / v_sum
                features[i, 3] = _dissimilarity(mean_a + fields[5, i] - mean_b - fields[6, i], 0.002)
                variance_a = max(w_lala / w_sum - mean_a * mean_a, 0.0)
                variance_b = max(v_lblb / v_sum - mean_b * mean_b, 0.0)
                sigmas = np.sqrt(variance_a) * np.sqrt(variance_b)
                features[i, 4] = (variance_a + variance_b - 2 * sigmas) / (variance_a + variance_b + 0.1)
                variance_a = max(la_la / n - (la_sum / n) ** 2, 0.0)
                variance_b = max(lb_lb / n - (lb_sum / n) ** 2, 0.0)
                covariance = la_lb / n - (la_sum / n) * (lb_sum / n)
                sigmas = np.sqrt(variance_a) * np.sqrt(variance_b)
                features[i, 5] = (sigmas - covariance) / (sigmas + 0.1)
                # Chroma and hue: F7, F8.
                features[i, 6] = _dissimilarity(w_ca / w_sum - v_cb / v_sum, 0.002)
                features[i, 7] = _dissimilarity(w_h / w_sum, 0.008)
    return features


@njit(cache=True)
@no_type_check
def _dissimilarity(difference, constant):
    """1 - 1 / (constant * difference^2 + 1)."""
    return 1.0 - 1.0 / (constant * difference * difference + 1.0)
