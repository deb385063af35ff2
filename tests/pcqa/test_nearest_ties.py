import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.metrics.merged_cloud import merged_cloud
from pcqa.metrics.nearest_ties import nearest_ties
from pcqa.metrics.voxel_columns import VoxelColumns


def naive(queries: np.ndarray, points: np.ndarray) -> tuple[list[float], list[list[int]]]:
    """Exact ties only, from the matrix of all distances."""
    squares = np.square(queries[:, None].astype(np.float64) - points[None]).sum(axis=2)
    least = squares.min(axis=1)
    return least.tolist(), [np.flatnonzero(row == low).tolist() for row, low in zip(squares, least, strict=True)]


def sets(ties) -> list[list[int]]:
    return [rows.tolist() for rows in np.split(ties.rows, ties.starts[1:])]


CASES = {
    "few voxels": (8, 150, 0.0),
    "many ties": (4, 60, 0.0),
    "distances around the reach of the columns": (90, 30, 0.0),
    "beyond the reach of the columns": (1000, 100, 0.0),
    "off the grid": (8, 150, 0.5),
}


@pytest.mark.parametrize("name", CASES)
def test_equals_all_distances(name):
    size, count, shift = CASES[name]
    rng = np.random.default_rng(0)
    for _ in range(5):
        a = merged_cloud(Cloud(rng.integers(-size, size, (count, 3)).astype(np.float32) + np.float32(shift)))
        b = merged_cloud(Cloud(rng.integers(-size, size, (count, 3)).astype(np.float32)))
        assert (a.columns is None) == (shift > 0)
        ties = nearest_ties(a, b)
        squares, rows = naive(a.points, b.points)
        assert ties.squares.tolist() == squares
        assert sets(ties) == rows
        assert ties.is_nearest.all()
        assert ties.sizes.tolist() == [len(tied) for tied in rows]
        assert ties.first_rows.tolist() == [tied[0] for tied in rows]


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_more_ties_than_the_program_keeps_are_all_kept(shift):
    # The 6 * 8 whole points at distance 3 * sqrt(5) (of the form 3, 6, 0 and 2, 4, 5) around the centre, and one more.
    grid = np.stack(np.meshgrid(*[np.arange(-7, 8)] * 3), axis=-1).reshape(-1, 3)
    sphere = grid[np.square(grid).sum(axis=1) == 45].astype(np.float32)
    ties = nearest_ties(
        merged_cloud(Cloud(np.full((1, 3), shift, np.float32))), merged_cloud(Cloud(sphere + np.float32(shift)))
    )
    assert ties.rows.tolist() == list(range(len(sphere)))
    assert len(sphere) == 72


def test_nearly_equal_distances_make_a_set_and_the_nearest_are_marked():
    # Squared distances 0.01, then steps of about 2e-9 and one of 0.1; the chain goes on from step to step.
    points = np.float32([[0.1, 0, 0], [-0.1, 0, 0], [0, 0.1 + 1e-8, 0], [0, 0, 0.1 + 3e-8], [0, 0, -0.3]])
    cloud = merged_cloud(Cloud(points))
    ties = nearest_ties(merged_cloud(Cloud(np.zeros((1, 3), np.float32))), cloud)
    squares = np.square(cloud.points.astype(np.float64)).sum(axis=1)
    assert ties.rows.tolist() == np.lexsort((np.arange(5), squares))[:4].tolist()
    assert ties.is_nearest.tolist() == (squares[ties.rows] == squares.min()).tolist()
    assert 2 <= ties.is_nearest.sum() < 4


def test_a_set_of_nearly_equal_ones_ends_at_ten():
    # On a scale where all distances are equal to 1e-8 the program takes ten neighbours and no more.
    rng = np.random.default_rng(0)
    points = (1e-5 * rng.random((40, 3))).astype(np.float32)
    ties = nearest_ties(merged_cloud(Cloud(np.zeros((1, 3), np.float32))), merged_cloud(Cloud(points)))
    assert ties.sizes.tolist() == [10]
    assert ties.is_nearest.tolist() == [True] + 9 * [False]


def test_spacing_equals_all_distances():
    rng = np.random.default_rng(0)
    for points in (rng.integers(0, 50, (200, 3)), rng.normal(size=(200, 3)), [[0, 0, 0], [900, 0, 0], [901, 0, 0]]):
        cloud = merged_cloud(Cloud(np.asarray(points, np.float32)))
        squares = np.square(cloud.points[:, None].astype(np.float64) - cloud.points[None]).sum(axis=2)
        np.fill_diagonal(squares, np.inf)
        assert cloud.spacing == pytest.approx(np.sqrt(squares.min(axis=1).max()), rel=1e-6)


def test_the_table_of_columns_is_not_made_for_far_apart_points():
    for points in ([[0, 0, 0], [1e6, 1e6, 0]], [[0, 0, 2.0**25], [1, 1, 0]], [[0, 0, 0.5], [1, 1, 0]]):
        assert VoxelColumns.of(np.float32(points)) is None
    assert VoxelColumns.of(np.float32([[0, 0, -(2.0**22)], [1, 1, 2.0**22]])) is not None
