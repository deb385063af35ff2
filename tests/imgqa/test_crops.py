import numpy as np
import pytest
import torch

from imgqa.crops import five_crops, grid_crops, grow_to_crop, random_crops
from rankqa_datasets.errors import InputError


def coordinates(height: int, width: int) -> np.ndarray:
    """An image whose pixels name their own place."""
    rows, columns = np.mgrid[:height, :width]
    return np.dstack([rows, columns, np.zeros_like(rows)]).astype(np.uint8)


def cut(seed: int, **options) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    arguments = {"size": 16, "count": 50, "horizontal_flip": False} | options
    return random_crops(coordinates(20, 30), generator=generator, **arguments).numpy()


def test_random_crops_are_windows_from_everywhere():
    crops = cut(0, count=400)
    assert crops.shape == (400, 16, 16, 3)
    tops, lefts = crops[:, 0, 0, 0], crops[:, 0, 0, 1]
    np.testing.assert_array_equal(crops[:, -1, -1, 0], tops + 15)
    np.testing.assert_array_equal(crops[:, -1, -1, 1], lefts + 15)
    assert set(tops) == set(range(5))
    assert set(lefts) == set(range(15))


def test_mirrored_windows_are_about_half():
    plain, flipped = cut(3, count=400), cut(3, count=400, horizontal_flip=True)
    mirrored = [not np.array_equal(a, b) for a, b in zip(plain, flipped, strict=True)]
    assert 160 < sum(mirrored) < 240
    for a, b, m in zip(plain, flipped, mirrored, strict=True):
        np.testing.assert_array_equal(b, a[:, ::-1] if m else a)


def test_the_generator_decides_everything():
    np.testing.assert_array_equal(cut(1, horizontal_flip=True), cut(1, horizontal_flip=True))
    assert not np.array_equal(cut(1), cut(2))


def test_an_image_of_the_crop_size_is_one_window():
    image = coordinates(16, 16)
    crops = random_crops(image, size=16, count=2, horizontal_flip=False, generator=torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(crops, np.stack([image, image]))
    np.testing.assert_array_equal(grid_crops(image, size=16, count=4), np.stack([image] * 4))


def test_grid_runs_from_corner_to_corner():
    crops = grid_crops(coordinates(20, 30), size=10, count=9)
    corners = [tuple(int(v) for v in crop[0, 0, :2]) for crop in crops]
    assert corners == [(top, left) for top in (0, 5, 10) for left in (0, 10, 20)]


def test_single_grid_crop_is_the_centre():
    crop = grid_crops(coordinates(20, 30), size=10, count=1)[0]
    assert crop[0, 0, :2].tolist() == [5, 10]


@pytest.mark.parametrize("shape", [(15, 30), (30, 15)])
def test_too_small_an_image_names_both_sizes(shape):
    image = coordinates(*shape)
    message = rf"{shape[1]} x {shape[0]} pixels, a crop 16 x 16"
    with pytest.raises(InputError, match=message):
        grid_crops(image, size=16, count=1)
    with pytest.raises(InputError, match=message):
        random_crops(image, size=16, count=1, horizontal_flip=True, generator=torch.Generator())


def test_five_crops_are_the_corners_and_the_centre():
    image = np.arange(9 * 12 * 3, dtype=np.uint8).reshape(9, 12, 3)
    crops = five_crops(image, size=4)
    corners = [(0, 0), (0, 8), (5, 0), (5, 8), (2, 4)]
    for crop, (top, left) in zip(crops, corners, strict=True):
        assert np.array_equal(crop, image[top : top + 4, left : left + 4])
    with pytest.raises(InputError, match="a crop 10 x 10"):
        five_crops(image, size=10)


def test_a_small_image_grows_by_its_mirror_image():
    grown = grow_to_crop(coordinates(5, 30), size=12)
    assert grown.shape == (12, 30, 3)
    assert grown[:, 4, 0].tolist() == [2, 1, 0, 0, 1, 2, 3, 4, 4, 3, 2, 1]
    np.testing.assert_array_equal(grown[3:8], coordinates(5, 30))
    tiny = np.array([[[7, 8, 9]]], np.uint8)
    np.testing.assert_array_equal(grow_to_crop(tiny, size=4), np.broadcast_to(tiny, (4, 4, 3)))
    large = coordinates(20, 30)
    assert grow_to_crop(large, size=20) is large
