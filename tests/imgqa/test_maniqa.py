"""Against the layers of the program IIGROUP/MANIQA (models/maniqa.py, models/swin.py)."""

import pytest
import torch
from torch import nn

from imgqa.models.maniqa import MANIQA, _ScaledSwin


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def swin_block(channels: int) -> int:
    norms = 2 * 2 * channels
    attention = (channels * 3 * channels + 3 * channels) + (channels * channels + channels) + 7 * 7 * 4
    hidden = (channels * 768 + 768) + (768 * channels + channels)
    return norms + attention + hidden


def stage(before: int, after: int) -> int:
    over_channels = 2 * 3 * (784 * 784 + 784)
    convolution = 9 * after * after + after
    return over_channels + (before * after + after) + 2 * (2 * swin_block(after) + convolution)


def test_parameters_as_published():
    with torch.device("meta"):
        model = MANIQA()
    place_head = (384 * 384 + 384) + (384 + 1)
    assert count(model.stages) == stage(4 * 768, 768) + stage(768, 384)
    assert count(model) == count(model.backbone) + count(model.stages) + 2 * place_head
    # ViT-B/8: patches, class token and positions, then 10 of the 12 blocks of 12 d^2 + 13 d parameters.
    embedding = (3 * 64 * 768 + 768) + 768 + 785 * 768
    assert count(model.backbone) == embedding + 10 * (12 * 768**2 + 13 * 768)


def test_maps_of_the_published_backbone():
    with torch.device("meta"):
        model = MANIQA()
        maps = model.backbone(torch.empty(1, 3, 224, 224))
        assert [level.shape for level in maps] == [(1, 768, 28, 28)] * 4
        assert model.stages(torch.cat(maps, dim=1)).shape == (1, 384, 28, 28)


def test_the_score_is_the_weighted_mean_over_places():
    torch.manual_seed(0)
    model = MANIQA(backbone="test_vit", blocks=[2, 3]).eval()
    images = torch.rand(2, 1, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        maps = torch.cat(model.backbone(model.normalise(images[:, 0])), dim=1)
        places = model.stages(maps)
        assert places.shape == (2, 32, 10, 10)
        expected = []
        for image in places:
            tokens = image.flatten(1).T
            scores, weights = model.score(tokens)[:, 0], torch.sigmoid(model.weight[0](tokens)[:, 0])
            expected.append((scores * weights).sum() / weights.sum())
        torch.testing.assert_close(model({"images": images})["scores"], torch.stack(expected), rtol=1e-4, atol=1e-6)


def test_windows_of_four_and_then_shifted_by_two():
    torch.manual_seed(0)
    module = _ScaledSwin(8, (8, 8), (0.0, 0.0)).eval()
    maps = torch.rand(1, 8, 8, 8, requires_grad=True)
    first = module.blocks[0](maps.permute(0, 2, 3, 1))
    reached = torch.autograd.grad(first[0, 0, 0].sum(), maps)[0][0].abs().sum(dim=0) > 0
    expected = torch.zeros(8, 8, dtype=torch.bool)
    expected[:4, :4] = True
    assert torch.equal(reached, expected)
    second = module.blocks[1](maps.permute(0, 2, 3, 1))
    reached = torch.autograd.grad(second[0, 3, 3].sum(), maps)[0][0].abs().sum(dim=0) > 0
    expected = torch.zeros(8, 8, dtype=torch.bool)
    expected[2:6, 2:6] = True
    assert torch.equal(reached, expected)


def test_the_residual_is_scaled():
    module, maps = _ScaledSwin(8, (8, 8), (0.0, 0.0)).eval(), torch.rand(1, 8, 8, 8)
    with torch.inference_mode():
        seen = module.blocks(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        torch.testing.assert_close(module(maps), maps + 0.8 * module.convolution(seen).clamp_min(0))


def test_bad_options():
    with pytest.raises(ValueError, match="at least one block"):
        MANIQA(backbone="test_vit", blocks=[])
    with pytest.raises(ValueError, match="dropout"):
        MANIQA(backbone="test_vit", dropout=1.0)
