import pytest
import torch

from pcqa.models.gms_3dqa import GMS3DQA
from pcqa.models.mini_patches import mini_patch_map


def numbered(b: int = 2, v: int = 6, rows: int = 4, columns: int = 5, patch: int = 4) -> torch.Tensor:
    """Views whose pixels tell cloud, view and square."""
    numbers = torch.arange(b * v * rows * columns).view(b, v, 1, rows, columns).float()
    return numbers.repeat_interleave(patch, dim=3).repeat_interleave(patch, dim=4)


def squares(image: torch.Tensor, patch: int = 4) -> torch.Tensor:
    """(c, s, s) -> the numbers of its squares in order; fails where one is not of one number."""
    cells = image[0].unflatten(0, (-1, patch)).unflatten(2, (-1, patch)).permute(0, 2, 1, 3).flatten(2)
    assert torch.equal(cells.amin(2), cells.amax(2))
    return cells[:, :, 0].flatten().long()


@pytest.mark.parametrize("random", [False, True])
def test_each_view_gives_its_share_without_repeats(random):
    views = numbered()
    image = mini_patch_map(views, torch.ones(2, 6, 16, 20), patch=4, grid=7, random=random)
    assert image.shape == (2, 1, 28, 28)
    for cloud in range(2):
        found = squares(image[cloud])
        assert len(found.unique()) == 49
        assert torch.bincount(found // 20 - 6 * cloud).tolist() == [8, 8, 8, 8, 8, 9]


def test_evaluation_spreads_evenly_and_training_draws_anew():
    views, masks = numbered(b=1, v=1, rows=4, columns=4), torch.ones(1, 1, 16, 16)
    fixed = squares(mini_patch_map(views, masks, patch=4, grid=2, random=False)[0])
    # The middles of four quarters of 0 ... 15.
    assert fixed.tolist() == [2, 6, 10, 14]
    torch.manual_seed(0)
    drawn = {tuple(squares(mini_patch_map(views, masks, patch=4, grid=2, random=True)[0]).tolist()) for _ in range(200)}
    assert len(drawn) > 100
    assert {number for draw in drawn for number in draw} == set(range(16))


@pytest.mark.parametrize("random", [False, True])
def test_only_covered_squares_are_taken_and_repeated_where_they_are_few(random):
    views, masks = numbered(b=1, v=1, rows=4, columns=4), torch.zeros(1, 1, 16, 16)
    masks[..., 4:8, 8:12] = 1  # square 6
    masks[..., 15, 0] = 1  # a sixteenth of square 12
    found = squares(mini_patch_map(views, masks, patch=4, grid=2, covered=0.1, random=random)[0])
    assert found.tolist() == [6, 6, 6, 6]
    masks[..., 12:14, 0:4] = 1
    found = squares(mini_patch_map(views, masks, patch=4, grid=2, covered=0.1, random=random)[0])
    assert sorted(found.tolist()) == [6, 6, 12, 12]


def test_an_all_but_empty_view_gives_its_best_square():
    views, masks = numbered(b=1, v=1, rows=4, columns=4), torch.zeros(1, 1, 16, 16)
    masks[..., 15, 0] = 1
    assert squares(mini_patch_map(views, masks, patch=4, grid=2, random=True)[0]).tolist() == [12] * 4
    assert squares(mini_patch_map(views, 0 * masks, patch=4, grid=2, random=False)[0]).tolist() == [0] * 4


def test_margins_are_left_out_on_both_sides():
    views = torch.zeros(1, 1, 1, 11, 11)
    views[..., 1:9, 1:9] = 1
    assert mini_patch_map(views, torch.ones(1, 1, 11, 11), patch=4, grid=2, random=False).min() == 1


def test_too_small_or_too_many_views_are_refused():
    with pytest.raises(ValueError, match="got 1 views of 3 x 8 pixels"):
        mini_patch_map(torch.rand(1, 1, 3, 3, 8), torch.ones(1, 1, 3, 8), patch=4, grid=2, random=False)
    with pytest.raises(ValueError, match="at most 4 of them, got 5 views"):
        mini_patch_map(torch.rand(1, 5, 3, 8, 8), torch.ones(1, 5, 8, 8), patch=4, grid=2, random=False)


def test_gms_3dqa_has_the_published_network_and_takes_any_number_of_views():
    torch.manual_seed(0)
    model = GMS3DQA().eval()
    # Swin-T without its classifier, and 768 -> 64 -> 1.
    assert sum(p.numel() for p in model.parameters()) == 27_519_354 + 768 * 64 + 64 + 64 + 1
    with torch.inference_mode():
        assert model({"views": torch.rand(1, 2, 3, 160, 192)})["scores"].shape == (1,)
