"""Points that are searched, by a KD-tree or on a GPU, and the searches made among them so far."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.spatial import KDTree

from pcqa.ops.ordered_neighbors import ordered_neighbors

# For fewer queries the way to the GPU takes longer than the search.
LEAST_FOR_GPU = 10_000


@dataclass(frozen=True, eq=False)
class Nearest:
    """The k nearest points of each of Q queries, nearest first.

    Attributes:
        distances: (Q, k) Euclidean, in the clouds' unit.
        rows: (Q, k) their rows in the searched points.
    """

    distances: Float[np.ndarray, "q k"]
    rows: Int[np.ndarray, "q k"]


class PointSet:
    """(P, 3) points that are searched: one tree, and each search made once.

    Several metrics of one pair ask for the same neighbours; a search for k answers every later one for fewer. For many
    neighbours of many points (more than about 32), query `tree` in chunks of rows: a kept search takes 16 bytes a
    neighbour.
    """

    def __init__(self, points: Float[np.ndarray, "p 3"]) -> None:
        self.points = points
        self._searches: dict[int, tuple[PointSet, Nearest]] = {}

    def __len__(self) -> int:
        return len(self.points)

    @cached_property
    def on_gpu(self) -> torch.Tensor | None:
        """The points on the GPU that searches among them; None where there is none."""
        device = search_device()
        return None if device is None else torch.from_numpy(self.points).to(device)

    @cached_property
    def tree(self) -> KDTree:
        """SciPy's tree. Search it with `workers=-1`: all cores."""
        # Unbalanced trees are built several times faster and search as fast on sorted points.
        return KDTree(self.points, balanced_tree=False, compact_nodes=False)

    def nearest(self, queries: "PointSet", k: int) -> Nearest:
        """The k points of this set nearest to each query; all of them where the set has fewer.

        The set itself may be the queries: the first neighbour is then at distance 0, the point or its equal.
        """
        k = min(k, len(self))
        # The queries are kept beside the answer, so that their identity cannot pass to another object.
        kept = self._searches.get(id(queries))
        if kept is None or kept[1].rows.shape[1] < k:
            kept = (queries, self.search_gpu(queries.points, k) or self._search_tree(queries.points, k))
            self._searches[id(queries)] = kept
        return Nearest(kept[1].distances[:, :k], kept[1].rows[:, :k])

    def search_gpu(self, queries: Float[np.ndarray, "q 3"], k: int) -> Nearest | None:
        """The k nearest points in order of (distance, row); None without a GPU, or where it would not be worth it."""
        if len(queries) < LEAST_FOR_GPU or self.on_gpu is None:
            return None
        sought = torch.from_numpy(np.ascontiguousarray(queries)).to(self.on_gpu.device)
        rows, squares = ordered_neighbors(sought, self.on_gpu, k)
        return Nearest(squares.sqrt().cpu().numpy(), rows.cpu().numpy())

    def _search_tree(self, queries: Float[np.ndarray, "q 3"], k: int) -> Nearest:
        distances, rows = self.tree.query(queries, k=k, workers=-1)
        # SciPy leaves the last axis out for k = 1.
        return Nearest(*(np.reshape(found, (-1, k)) for found in (distances, rows)))


def search_device() -> torch.device | None:
    """The GPU that searches neighbours, where there is one."""
    return torch.device("cuda") if torch.cuda.is_available() else None
