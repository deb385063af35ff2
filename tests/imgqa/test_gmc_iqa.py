"""Against the sizes counted for the reconstruction of GMC-IQA's network."""

import pytest
import torch
from torch import Tensor, nn

from imgqa.models.gmc_iqa import GMCIQA, _head, _MapAttention, _MultiView
from rankqa_datasets.errors import InputError


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def multi_view(maps: int) -> int:
    alone = 2 * (768 * 96 + 96) + (768 * 768 + 768) + 1
    dense = [3 * (size**2 + size) for size in (784 * maps, 768 * maps)]
    return maps * alone + sum(dense)


def test_parameters_of_the_published_size():
    with torch.device("meta"):
        model = GMCIQA(rank=0)
    assert [count(opinion) for opinion in model.opinions] == [multi_view(4)] * 3
    assert count(model.fusion) == multi_view(3)
    assert multi_view(4) == pytest.approx(60.8e6, rel=1e-3)
    assert multi_view(3) == pytest.approx(34.7e6, rel=2e-3)
    assert count(model.block) == pytest.approx(7.1e6, rel=2e-3)
    assert count(model.head) == pytest.approx(5.4e6, rel=1e-2)
    assert count(model) == pytest.approx(316e6, rel=3e-3)


def test_parameters_with_low_rank():
    with torch.device("meta"):
        model = GMCIQA()
    assert count(model) == 115_296_464
    assert sum(p.numel() for p in model.backbone_parameters()) == 85_806_336


def test_maps_of_the_published_backbone():
    with torch.device("meta"):
        model = GMCIQA()
        maps = model.backbone(torch.empty(1, 3, 224, 224))
    assert [level.shape for level in maps] == [(1, 768, 28, 28)] * 4


def test_the_head_ends_in_one_vector():
    shapes = []
    head = _head(8, 0.1).eval()
    for layer in head:
        if isinstance(layer, nn.Conv2d | nn.AvgPool2d | nn.Flatten):
            layer.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape[1:])))
    assert head(torch.rand(2, 8, 28, 28)).shape == (2, 1)
    sides = [(256, 24), (256, 12), (128, 10), (128, 5), (128, 3), (128, 1)]
    assert shapes == [(channels, side, side) for channels, side in sides] + [(128,)]


def test_a_map_sees_itself_only_once_its_gain_has_moved():
    attention, level = _MapAttention(16), torch.rand(2, 16, 3, 4)
    assert torch.equal(attention(level), level)
    with torch.no_grad():
        attention.gain.fill_(2.0)
        places = level[0].flatten(1).T
        weights = torch.softmax(attention.query(places) @ attention.key(places).T, dim=1)
        expected = places + 2 * weights @ attention.value(places)
        torch.testing.assert_close(attention(level)[0].flatten(1).T, expected)


def test_both_views_against_explicit_tokens():
    torch.manual_seed(0)
    module = _MultiView(maps=2, channels=8, places=6, rank=None, dropout=0.0).eval()
    maps = torch.rand(1, 2, 8, 2, 3)
    with torch.inference_mode():
        flat = maps[0].flatten(2)  # map, channel, place
        channels = torch.stack([torch.cat([flat[0, c], flat[1, c]]) for c in range(8)])
        places = torch.stack([torch.cat([flat[0, :, p], flat[1, :, p]]) for p in range(6)])
        first = module.over_places(channels[None])[0]
        second = module.over_channels(places[None])[0]
        expected = torch.zeros(8, 6)
        for m in range(2):
            expected += first[:, 6 * m : 6 * m + 6] + second[:, 8 * m : 8 * m + 8].T
        torch.testing.assert_close(module(maps)[0].flatten(1), expected / 4)


def test_bad_options():
    for blocks, opinions, rank in (([], 3, 64), ([1], 0, 64), ([1], 3, -1)):
        with pytest.raises(ValueError, match="at least one block and opinion and no negative rank"):
            GMCIQA(backbone="test_vit", blocks=blocks, opinions=opinions, rank=rank)
    with pytest.raises(ValueError, match="dropout"):
        GMCIQA(backbone="test_vit", dropout=1.0)
    with pytest.raises(InputError, match=r"feature maps at levels \(1, 99\)"):
        GMCIQA(backbone="test_vit", blocks=[1, 99])
    with pytest.raises(InputError, match=r"needs a vision transformer of one input size.*'test_resnet'"):
        GMCIQA(backbone="test_resnet", blocks=[3, 4])


def test_other_crop_sizes():
    images: Tensor = torch.rand(1, 1, 3, 64, 64)
    with pytest.raises(InputError, match=r"160 x 160 pixels only, got 64 x 64: set input\.crop = 160"):
        GMCIQA(backbone="test_vit", blocks=[1, 3, 5], rank=4)({"images": images})
