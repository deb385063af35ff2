import torch

from pcqa.models.it_pcqa import ITPCQA, tile_views


def test_published_layers():
    model = ITPCQA()
    convolutions = 64 * (3 * 9 + 1) + 8 * 64 * (64 * 9 + 1) + 9 * 2 * 64
    projection = 2 * (256 * 257 + 2 * 256)
    assert sum(p.numel() for p in model.parameters()) == convolutions + projection + 128 * 257 + 129
    maps = torch.rand(1, 3, 224, 224)
    sides = []
    for scale in model.scales:
        maps = scale(maps)
        sides.append(tuple(maps.shape[1:]))
    assert sides == [(64, 112, 112), (64, 56, 56), (64, 28, 28), (64, 14, 14)]


def test_tiles_lie_in_two_rows_of_three():
    # Six plain views: after any scaling the middle of each tile keeps its value.
    views = torch.arange(6.0).view(1, 6, 1, 1, 1).expand(1, 6, 3, 30, 40)
    tiled = tile_views(views)
    assert tiled.shape == (1, 3, 224, 224)
    middles = tiled[0, 0][[56, 168]][:, [37, 112, 187]]
    torch.testing.assert_close(middles, torch.arange(6.0).view(2, 3))


def test_tiling_keeps_images_that_already_fit():
    views = torch.rand(2, 6, 3, 112, 224)
    tiled = tile_views(views[:, [0] * 6])
    torch.testing.assert_close(tiled[:, :, :112].mean(), views[:, 0].mean(), atol=2e-3, rtol=0)
    torch.testing.assert_close(tiled[:, :, :112], tiled[:, :, 112:])
