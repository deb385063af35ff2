"""Pairs of neighbourhoods, one in each cloud, described along the principal axes of the first."""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit, prange


@dataclass(frozen=True, eq=False)
class Neighborhoods:
    """Statistics of Q pairs of neighbourhoods: columns 0-2 along the axes of A's, from its centroid; 3-5 colours.

    Attributes:
        first_a, first_b: (Q, 3) the nearest neighbour.
        mean_a, mean_b: (Q, 6); the first three of `mean_a` are 0 but for rounding.
        variance_a, variance_b: (Q, 6), divided by the number of neighbours.
        covariance: (Q, 6) of A's and B's neighbours of equal rank.
        axes_b: (Q, 3, 3) the principal axes of B's as columns, longest first.
    """

    first_a: Float[np.ndarray, "q 3"]
    first_b: Float[np.ndarray, "q 3"]
    mean_a: Float[np.ndarray, "q 6"]
    mean_b: Float[np.ndarray, "q 6"]
    variance_a: Float[np.ndarray, "q 6"]
    variance_b: Float[np.ndarray, "q 6"]
    covariance: Float[np.ndarray, "q 6"]
    axes_b: Float[np.ndarray, "q 3 3"]


def compare_neighborhoods(
    a: Float[np.ndarray, "p 6"],
    rows_a: Int[np.ndarray, "q k"],
    b: Float[np.ndarray, "r 6"],
    rows_b: Int[np.ndarray, "q k"],
) -> Neighborhoods:
    """Describes neighbourhoods of `a` and `b` by pairs.

    Args:
        a: x, y, z and three colour channels a row.
        rows_a: (Q, k) the neighbours of each query in `a`, nearest first.
        b: as `a`.
        rows_b: (Q, k) the neighbours of the same queries in `b`.
    """
    num_queries = len(rows_a)
    centers, spreads = _spread(a, rows_a)
    axes_a = principal_axes(spreads)
    statistics = np.empty((7, num_queries, 6))
    spreads_b = np.empty((num_queries, 3, 3))
    _describe(a, rows_a, b, rows_b, centers, axes_a, statistics, spreads_b)
    first_a, first_b, mean_a, mean_b, variance_a, variance_b, covariance = statistics
    return Neighborhoods(
        first_a=first_a[:, :3],
        first_b=first_b[:, :3],
        mean_a=mean_a,
        mean_b=mean_b,
        variance_a=variance_a,
        variance_b=variance_b,
        covariance=covariance,
        axes_b=principal_axes(spreads_b),
    )


def principal_axes(spreads: Float[np.ndarray, "q 3 3"]) -> Float[np.ndarray, "q 3 3"]:
    """Unit eigenvectors of symmetric matrices as columns, largest eigenvalue first.

    The component of largest size is positive. By singular values, as MATLAB's pcacov. Where two eigenvalues are equal,
    which axes of their plane come out is LAPACK's choice.
    """
    vectors, _, _ = np.linalg.svd(spreads)
    largest = abs(vectors).argmax(axis=1)[:, None, :]
    return vectors * np.sign(np.take_along_axis(vectors, largest, axis=1))


@njit(parallel=True, cache=True)
@no_type_check
def _spread(points, rows):
    """The centroid of each neighbourhood, and its matrix of summed products about it."""
    num_queries, k = rows.shape
    centers = np.zeros((num_queries, 3))
    spreads = np.zeros((num_queries, 3, 3))
    for query in prange(num_queries):
        for axis in range(3):
            for place in range(k):
                centers[query, axis] += points[rows[query, place], axis]
            centers[query, axis] /= k
        for place in range(k):
            row = rows[query, place]
            for i in range(3):
                for j in range(3):
                    spreads[query, i, j] += (points[row, i] - centers[query, i]) * (points[row, j] - centers[query, j])
    return centers, spreads


@njit(cache=True)
@no_type_check
def _turn(points, rows, center, axes, turned):
    """Neighbours as seen from `center` along `axes`, with their colours; and the means of all six."""
    k = len(rows)
    means = np.zeros(6)
    for place in range(k):
        row = rows[place]
        for axis in range(3):
            turned[place, axis] = 0
            for i in range(3):
                turned[place, axis] += (points[row, i] - center[i]) * axes[i, axis]
            turned[place, 3 + axis] = points[row, 3 + axis]
        for column in range(6):
            means[column] += turned[place, column]
    return means / k


@njit(parallel=True, cache=True)
@no_type_check
def _describe(a, rows_a, b, rows_b, centers, axes, statistics, spreads_b):
    """Fills first, mean and variance of both, and the covariance, into `statistics`; B's spread into `spreads_b`."""
    num_queries, k = rows_a.shape
    for query in prange(num_queries):
        turned_a, turned_b = np.empty((k, 6)), np.empty((k, 6))
        mean_a = _turn(a, rows_a[query], centers[query], axes[query], turned_a)
        mean_b = _turn(b, rows_b[query], centers[query], axes[query], turned_b)
        statistics[0, query], statistics[1, query] = turned_a[0], turned_b[0]
        statistics[2, query], statistics[3, query] = mean_a, mean_b
        turned_a -= mean_a
        turned_b -= mean_b
        for column in range(6):
            square_a, square_b, product = 0.0, 0.0, 0.0
            for place in range(k):
                square_a += turned_a[place, column] ** 2
                square_b += turned_b[place, column] ** 2
                product += turned_a[place, column] * turned_b[place, column]
            statistics[4, query, column] = square_a / k
            statistics[5, query, column] = square_b / k
            statistics[6, query, column] = product / k
        for i in range(3):
            for j in range(3):
                total = 0.0
                for place in range(k):
                    total += turned_b[place, i] * turned_b[place, j]
                spreads_b[query, i, j] = total
