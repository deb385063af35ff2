"""GraphSIM: likeness of local colour graphs around random key points."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.graph_pairs import GraphPairs
from pcqa.metrics.graph_similarity import graph_similarity
from pcqa.metrics.key_points import choose_key_points


@dataclass(frozen=True, eq=False)
class GraphSim:
    """GraphSIM's value and where it looked.

    Attributes:
        similarity: mean over the key points; higher is better, 1 for a cloud and itself, 0 at the least.
        key_points: rows of the reference, to be stored and given again.
    """

    similarity: float
    key_points: Int[np.ndarray, " keys"]


def graph_sim(
    pair: CloudPair,
    *,
    seed: int = 0,
    key_points: Int[np.ndarray, " keys"] | None = None,
    points_per_key_point: int = 10_000,
    reach: float | None = None,
) -> GraphSim:
    """Mean similarity of the colour gradients around key points of the reference, in both clouds.

    Around each key point, the points within `reach` give each cloud a graph (see `GraphSource.graph`), and the two are
    compared by mass, mean and covariance of their gradients (see `graph_similarity`). One direction only: the key
    points are the reference's. A key point with fewer than two neighbours in one of the clouds counts 0, even for a
    cloud and itself.

    Source: Yang, Ma, Xu, Li, Sun, "Inferring point cloud quality via graph similarity", IEEE TPAMI 2020, with the rules
    and constants of its program, in double precision throughout. Its distances from the centre are single-precision
    differences of large squares; here they are exact.

    Args:
        pair: both with colours; in voxels, as the default `reach` is a whole number.
        seed: of the draw of key points; a fixed choice, as another one changes the value.
        key_points: rows of the reference to take instead of drawing them.
        points_per_key_point: one key point is drawn for so many points, at least one; more are slower and steadier.
        reach: radius of the search around a key point. Default: a tenth of the shortest side of the reference's box,
            rounded down.

    Raises:
        InputError: no colours, rows outside the reference, coordinates beyond 1e100, or a box too small for the
            default `reach`.
    """
    pairs = GraphPairs(pair, "GraphSIM", reach)
    rows = choose_key_points(pair.reference, seed=seed, rows=key_points, points_per_key_point=points_per_key_point)
    values = [graph_similarity(*pairs.around(row)) for row in rows]
    return GraphSim(similarity=float(np.mean(values)), key_points=rows)
