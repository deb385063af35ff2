"""All squared distances between two sets of points, a bounded number of rows at a time."""

from collections.abc import Iterator

from torch import Tensor

# Values of one block of the distance matrix: on a CPU it should stay in the cache, a GPU wants more work at once.
CPU_BLOCK = 1 << 18
GPU_BLOCK = 1 << 26


def squared_distance_blocks(queries: Tensor, points: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yields (rows, block): `block` (b, rows, p) holds |q - x|^2 for the queries `rows` and all points.

    Differences are squared and summed one coordinate after the other. The shorter |q|^2 - 2 q.x + |x|^2 would cancel:
    near points far from the origin would get wrong, even negative, distances, and equal distances would differ.

    Args:
        queries: (b, q, d).
        points: (b, p, d).
    """
    batch, num_queries, _ = queries.shape
    block_size = CPU_BLOCK if queries.device.type == "cpu" else GPU_BLOCK
    num_rows = max(1, block_size // max(1, batch * points.shape[1]))
    query_axes = queries.movedim(-1, 0).unsqueeze(-1)  # d, b, q, 1
    point_axes = points.movedim(-1, 0).unsqueeze(-2).contiguous()  # d, b, 1, p
    for first in range(0, num_queries, num_rows):
        rows = slice(first, first + num_rows)
        block = None
        for query_axis, point_axis in zip(query_axes, point_axes, strict=True):
            difference = query_axis[:, rows] - point_axis
            block = difference.square_() if block is None else block.addcmul_(difference, difference)
        if block is not None:
            yield rows, block
