import numpy as np
import torch

from pcqa.view_crops import crop_views


def views_with_box(top: int, bottom: int, left: int, right: int, size: int = 40) -> tuple[np.ndarray, np.ndarray]:
    masks = np.zeros((1, size, size), np.uint8)
    masks[0, top:bottom, left:right] = 1
    # Each pixel tells its own place.
    rows, columns = np.indices((size, size))
    views = np.stack([rows, columns, masks[0]], axis=-1)[None].astype(np.uint8)
    return views, masks


def place(views: np.ndarray) -> tuple[int, int]:
    return int(views[0, 0, 0, 0]), int(views[0, 0, 0, 1])


def test_the_middle_of_the_cloud_is_taken_in_evaluation():
    views, masks = views_with_box(10, 30, 4, 36)
    cut, mask = crop_views(views, masks, size=8, generator=None)
    assert place(cut) == (16, 16)
    np.testing.assert_array_equal(cut[..., 2], mask)
    assert mask.all()


def test_random_windows_lie_on_the_cloud_and_reach_every_place():
    views, masks = views_with_box(10, 20, 30, 40)
    generator = torch.Generator().manual_seed(0)
    places = {place(crop_views(views, masks, size=8, generator=generator)[0]) for _ in range(200)}
    assert places == {(top, left) for top in (10, 11, 12) for left in (30, 31, 32)}


def test_windows_larger_than_the_cloud_cover_it_and_stay_in_the_view():
    views, masks = views_with_box(0, 4, 18, 22)
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        cut, mask = crop_views(views, masks, size=12, generator=generator)
        assert mask.sum() == masks.sum()
        assert place(cut)[0] == 0
    assert place(crop_views(views, masks, size=12, generator=None)[0]) == (0, 14)


def test_an_empty_view_is_cut_in_the_middle_and_a_full_window_changes_nothing():
    views, masks = views_with_box(0, 0, 0, 0)
    assert place(crop_views(views, masks, size=10, generator=None)[0]) == (15, 15)
    whole, _ = crop_views(views, masks, size=40, generator=torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(whole, views)
