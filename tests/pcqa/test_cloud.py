from pathlib import Path

import numpy as np
import pytest

from pcqa.cloud import Cloud
from rankqa_datasets.errors import InputError

POINTS = np.zeros((4, 3), np.float32)


def test_keeps_what_it_is_given():
    colors = np.full((4, 3), 0.5, np.float32)
    cloud = Cloud(POINTS, colors, source=Path("a.ply"))
    assert cloud.points is POINTS
    assert cloud.colors is colors
    assert cloud.normals is None
    assert cloud.num_points == 4
    assert cloud.name == "a.ply"
    assert Cloud(POINTS).name == "cloud"


def with_value(value: float, row: int = 2) -> np.ndarray:
    array = np.zeros((4, 3), np.float32)
    array[row, 1] = value
    return array


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((4, 2), np.float32),), r"points must be \(P, 3\) float32 or float64, got \(4, 2\) float32"),
        ((np.zeros((4, 3), np.int32),), r"got \(4, 3\) int32"),
        ((np.zeros((0, 3), np.float32),), "the cloud has no points"),
        ((with_value(np.nan),), r"points must be finite numbers, got \(0, nan, 0\) in row 2"),
        ((with_value(-np.inf, row=0),), r"got \(0, -inf, 0\) in row 0"),
        ((POINTS, np.zeros((3, 3), np.float32)), r"colors must be \(4, 3\) float32, got \(3, 3\) float32"),
        ((POINTS, np.zeros((4, 3), np.uint8)), r"colors must be \(4, 3\) float32, got \(4, 3\) uint8"),
        ((POINTS, with_value(255)), r"colors must lie in \[0, 1\], got 0 to 255"),
        ((POINTS, with_value(-0.1)), "got -0.1 to 0"),
        ((POINTS, None, with_value(np.nan)), "normals must be finite"),
    ],
)
def test_refuses_in_one_line_with_the_source(arguments, message):
    with pytest.raises(InputError, match=message) as error:
        Cloud(*arguments, source=Path("a.ply"))
    assert str(error.value).startswith("a.ply: ")
    assert "\n" not in str(error.value)
