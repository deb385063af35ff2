"""Likeness of two local graphs by the moments of their colour gradients."""

import numpy as np
from jaxtyping import Float

from pcqa.metrics.local_graph import LocalGraph
from pcqa.metrics.nearest_row import nearest_row
from pcqa.metrics.point_set import PointSet

# Of L, M and N: the Gaussian colour model.
LMN_OF_RGB = np.array([[0.06, 0.63, 0.27], [0.30, 0.04, -0.35], [0.34, -0.60, 0.17]])
CHANNEL_WEIGHTS = np.array([6.0, 1.0, 1.0]) / 8
T = 0.001


def graph_similarity(a: LocalGraph, b: LocalGraph, center_rgb: Float[np.ndarray, "3"]) -> float:
    """(6 |s_L| + |s_M| + |s_N|) / 8, where s is the product of three similarities of a channel; 1 is best, 0 is worst.

    Gradients are sqrt(w) (c_0 - c) with the weights w of the links to the centre. Their sum over a graph (mass) and
    their mean, on colours / 255, compare as (2ab + T) / (a^2 + b^2 + T), T = .001. The third is their covariance,
    (cov + .001) / (s_a s_b + .001), on colours up to 255: each point of the smaller graph (the reference's if equal)
    with its nearest point of the larger, the first in order of equally near ones, and `center_rgb` as c_0 in both;
    it is 0 if a graph has fewer than two points beside the centre.

    Args:
        a: of the reference.
        b: of the distorted cloud, with the same centre and level.
        center_rgb: the key point's colour, 0 to 255, never smoothed.
    """
    mass_a, mass_b = _mass(a), _mass(b)
    mean_a, mean_b = mass_a / max(1, len(a.rgb) - 1), mass_b / max(1, len(b.rgb) - 1)
    channels = _alike(mass_a, mass_b) * _alike(mean_a, mean_b) * _correlation(a, b, center_rgb)
    return float(CHANNEL_WEIGHTS @ np.abs(channels))


def _gradients(graph: LocalGraph, center_rgb: Float[np.ndarray, "3"]) -> Float[np.ndarray, "n channel"]:
    return np.sqrt(graph.weights)[:, None] * ((center_rgb - graph.rgb) @ LMN_OF_RGB.T)


def _mass(graph: LocalGraph) -> Float[np.ndarray, " channel"]:
    return _gradients(graph, graph.rgb[graph.center]).sum(axis=0) / 255


def _alike(a: Float[np.ndarray, " channel"], b: Float[np.ndarray, " channel"]) -> Float[np.ndarray, " channel"]:
    return (2 * a * b + T) / (a**2 + b**2 + T)


def _correlation(a: LocalGraph, b: LocalGraph, center_rgb: Float[np.ndarray, "3"]) -> Float[np.ndarray, " channel"]:
    (points_a, gradients_a), (points_b, gradients_b) = (_around_center(graph, center_rgb) for graph in (a, b))
    if min(len(points_a), len(points_b)) < 2:
        return np.zeros(3)
    if len(points_a) > len(points_b):
        gradients_a = gradients_a[nearest_row(PointSet(points_a), PointSet(points_b))]
    else:
        gradients_b = gradients_b[nearest_row(PointSet(points_b), PointSet(points_a))]
    gradients_a, gradients_b = gradients_a - gradients_a.mean(axis=0), gradients_b - gradients_b.mean(axis=0)
    covariance, square_a, square_b = (
        (u * v).sum(axis=0) / (len(u) - 1)
        for u, v in ((gradients_a, gradients_b), (gradients_a, gradients_a), (gradients_b, gradients_b))
    )
    return (covariance + T) / (np.sqrt(square_a * square_b) + T)


def _around_center(graph: LocalGraph, center_rgb: Float[np.ndarray, "3"]) -> tuple[np.ndarray, np.ndarray]:
    others = np.arange(len(graph.offsets)) != graph.center
    return graph.offsets[others], _gradients(graph, center_rgb)[others]
