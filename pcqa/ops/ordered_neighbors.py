"""The k nearest points by cells, as tensors: the neighbour search of a GPU."""

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from pcqa.ops.knn import knn

# Candidates looked at together: 100 bytes each.
CPU_BUDGET = 1 << 18
GPU_BUDGET = 1 << 25

# Queries from which the radius of the search is chosen, and the share of them that it serves.
SAMPLE = 256
SERVED = 0.95

# Below this many points or queries left, comparing all is faster than cells.
FEW_POINTS = 2048
FEW_QUERIES = 256


@torch.no_grad()
def ordered_neighbors(
    queries: Float64[Tensor, "q 3"], points: Float64[Tensor, "p 3"], k: int
) -> tuple[Int64[Tensor, "q k"], Float64[Tensor, "q k"]]:
    """The k nearest points of each query in order of (distance, row), on the device of the tensors.

    Points are sorted into cells as long as a radius that holds k points around most queries; a query looks through 27
    of them, and those that find too few look again with twice the radius. Squares are those of SciPy's tree but for the
    last bit, which points of a voxel grid do not use: the same ties are found. Time and memory grow with the number of
    pairs in neighbouring cells, quadratically where most points crowd in a millionth of their box.

    Args:
        queries: (Q, 3), finite.
        points: (P, 3), finite.
        k: from 1 to P.

    Returns:
        Rows of the points, and the squared distances.
    """
    rows = torch.empty(len(queries), k, dtype=torch.int64, device=queries.device)
    squares = torch.empty(len(queries), k, dtype=torch.float64, device=queries.device)
    left = torch.arange(len(queries), device=queries.device)
    length = float((points.amax(0) - points.amin(0)).amax())
    sample = queries[:: max(1, len(queries) // SAMPLE)]
    farthest = knn(sample[None], points[None], k)[1][0, :, -1].sqrt() if len(queries) else torch.zeros(1)
    # The number of a cell must fit an integer.
    radius = max(float(torch.quantile(farthest, SERVED)), 1e-6 * length) * (1 + 1e-9)
    while len(left) > FEW_QUERIES and len(points) > FEW_POINTS and radius < length / 4:
        for chunk, (found_rows, found_squares, served) in _by_cells(queries[left], points, k, radius):
            rows[left[chunk][served]], squares[left[chunk][served]] = found_rows, found_squares
            left[chunk][served] = -1  # a view: marks them in place
        left = left[left >= 0]
        radius *= 2
    if len(left):
        found = knn(queries[left][None], points[None], k)
        rows[left], squares[left] = found[0][0], found[1][0]
    return rows, squares


def _by_cells(queries: Tensor, points: Tensor, k: int, radius: float):
    """Yields (slice of the queries, (rows, squares, which of them have k points nearer than the radius))."""
    low = points.amin(0) - 2 * radius
    shape = ((points.amax(0) - low) / radius).long() + 3
    keys, order = _cells(points, low, radius, shape).sort(stable=True)
    sorted_points = points[order]
    own = _cells(queries, low, radius, shape)
    steps = torch.arange(-1, 2, device=points.device)
    columns = ((steps[:, None] * shape[1] + steps) * shape[2]).flatten()
    middles = own[:, None] + columns
    first = torch.searchsorted(keys, middles - 1)
    counts = torch.searchsorted(keys, middles + 1, right=True) - first
    budget = CPU_BUDGET if points.device.type == "cpu" else GPU_BUDGET
    ends = counts.sum(1).cumsum(0)
    start = 0
    while start < len(queries):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(torch.searchsorted(ends, before + budget, right=True)))
        chunk = slice(start, stop)
        places, names = _expand(first[chunk], counts[chunk])
        x, y, z = (sorted_points[places] - queries[chunk][names]).unbind(1)
        squares = x * x + y * y + z * z
        near = squares < radius * radius
        yield chunk, _first_of_each(names[near], squares[near], order[places[near]], stop - start, k)
        start = stop


def _cells(points: Tensor, low: Tensor, radius: float, shape: Tensor) -> Tensor:
    """Numbers of the cells; points outside go to the border, which is beyond the reach of all points."""
    # Clamped before the conversion: a point far away would overflow an integer.
    cells = ((points - low) / radius).floor()
    cells = torch.minimum(cells.clamp_min(1), shape - 2).long()
    return (cells[:, 0] * shape[1] + cells[:, 1]) * shape[2] + cells[:, 2]


def _expand(first: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """The members of all runs [first, first + count) (q, 9), one run after the other, and the query of each."""
    flat = counts.flatten()
    runs = torch.repeat_interleave(torch.arange(len(flat), device=flat.device), flat)
    before = flat.cumsum(0) - flat
    places = torch.arange(len(runs), device=flat.device) - before[runs] + first.flatten()[runs]
    return places, runs // counts.shape[1]


def _first_of_each(names: Tensor, squares: Tensor, rows: Tensor, queries: int, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """The first k of each query's candidates in order of (square, row), where there are k."""
    by_row = rows.argsort()
    by_square = by_row[squares[by_row].argsort(stable=True)]
    order = by_square[names[by_square].argsort(stable=True)]
    counts = names.bincount(minlength=queries)
    served = counts >= k
    begin = (counts.cumsum(0) - counts)[served]
    chosen = order[begin[:, None] + torch.arange(k, device=names.device)]
    return rows[chosen], squares[chosen], served
