"""MS-GraphSIM: GraphSIM on local graphs that are smoothed, thinned and shrunk step by step."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.graph_pairs import GraphPairs
from pcqa.metrics.graph_similarity import graph_similarity
from pcqa.metrics.key_points import choose_key_points


@dataclass(frozen=True, eq=False)
class MsGraphSim:
    """MS-GraphSIM's values and where it looked; higher is better, 1 for a cloud and itself, 0 at the least.

    Attributes:
        similarity: mean of the three levels.
        similarity_1: of the graphs as they are: GraphSIM.
        similarity_2: of graphs coarsened once.
        similarity_3: of graphs coarsened twice.
        key_points: rows of the reference, to be stored and given again.
    """

    similarity: float
    similarity_1: float
    similarity_2: float
    similarity_3: float
    key_points: Int[np.ndarray, " keys"]


def ms_graph_sim(
    pair: CloudPair,
    *,
    seed: int = 0,
    key_points: Int[np.ndarray, " keys"] | None = None,
    points_per_key_point: int = 10_000,
    reach: float | None = None,
) -> MsGraphSim:
    """Mean of GraphSIM at three levels of its local graphs, each half as dense as the one before.

    From level to level the colours are smoothed along the links of the graph, every second point goes, and the rest
    moves towards the centre (see `LocalGraph.coarser`); the graphs of one level are compared as in GraphSIM. One
    direction only: the key points are the reference's.

    A key point with fewer than two neighbours in one of the clouds counts 0, even for a cloud and itself.

    Source: Zhang, Yang, Xu, "MS-GraphSIM: inferring point cloud quality via multiscale graph similarity", ACM MM 2021,
    with the rules and constants of its program, which makes six levels and takes the mean of the first three, in double
    precision throughout.

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
    pairs = GraphPairs(pair, "MS-GraphSIM", reach)
    rows = choose_key_points(pair.reference, seed=seed, rows=key_points, points_per_key_point=points_per_key_point)
    levels = np.empty((3, len(rows)))
    for key, row in enumerate(rows):
        a, b, rgb = pairs.around(row)
        for level in range(3):
            levels[level, key] = graph_similarity(a, b, rgb)
            a, b = a.coarser(), b.coarser()
    means = levels.mean(axis=1)
    return MsGraphSim(float(means.mean()), *(float(mean) for mean in means), key_points=rows)
