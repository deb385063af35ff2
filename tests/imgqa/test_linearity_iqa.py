import pytest
import torch
from torch import Tensor, nn

from imgqa.models.linearity_iqa import LinearityIQA
from rankqa_datasets.errors import InputError


def images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def reduction(channels: int) -> int:
    linear = (channels * 1024 + 1024) + (1024 * 256 + 256) + (256 * 64 + 64)
    return linear + 2 * (1024 + 256 + 64)  # batch normalisation: two for each channel


def test_parameters_as_published():
    with torch.device("meta"):
        model = LinearityIQA(backbone="resnext101_32x8d")
    rest = sum(p.numel() for p in model.parameters()) - sum(p.numel() for p in model.backbone_parameters())
    assert rest == reduction(1024) + reduction(2048) + (64 + 1) + (64 + 1) + (128 + 1)
    # torchvision's 88,791,336 less the 1000 classes on 2048 features.
    assert sum(p.numel() for p in model.backbone_parameters()) == 88_791_336 - 2_049_000


def test_heads_against_the_layers_one_by_one():
    torch.manual_seed(0)
    model = LinearityIQA(backbone="test_resnet").eval()
    given = images(3, 1, 3, 64, 96)
    with torch.inference_mode():
        output = model({"images": given})
        maps = model.backbone(model.normalise(given[:, 0]))
        levels = [reduce(level.mean(dim=(2, 3))) for reduce, level in zip(model.reduce, maps, strict=True)]
        assert [level.shape for level in levels] == [(3, 64), (3, 64)]
        torch.testing.assert_close(output["scores"], model.joint_head(torch.cat(levels, dim=1))[:, 0])
        for i in range(2):
            torch.testing.assert_close(output[f"{('early', 'late')[i]}_scores"], model.level_heads[i](levels[i])[:, 0])


def test_order_of_the_reducing_layers():
    kinds = [type(layer) for layer in LinearityIQA(backbone="test_resnet").reduce[0].children()]
    assert kinds == [nn.Linear, nn.BatchNorm1d] * 3 + [nn.ReLU]


def test_level_scores_are_means_over_crops_too():
    model = LinearityIQA(backbone="test_resnet").eval()
    given = images(2, 3, 3, 64, 64)
    with torch.inference_mode():
        whole = model({"images": given})["early_scores"]
        single = torch.stack([model({"images": given[:, k : k + 1]})["early_scores"] for k in range(3)]).mean(dim=0)
    assert whole.shape == (2,)
    torch.testing.assert_close(whole, single, rtol=1e-4, atol=1e-6)


def test_the_scores_alone_reach_every_parameter_but_do_not_move_the_level_heads():
    model = LinearityIQA(backbone="test_resnet")
    model({"images": images(4, 1, 3, 64, 64)})["scores"].square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    for parameter in model.level_heads.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().max() == 0


def test_a_batch_of_one_crop_trains_not_but_is_scored():
    model = LinearityIQA(backbone="test_resnet")
    with pytest.raises(InputError, match=r"batch of one crop: set engine\.drop_last = true"):
        model({"images": images(1, 1, 3, 64, 64)})
    assert model.eval()({"images": images(1, 1, 3, 64, 64)})["scores"].shape == (1,)


def test_a_backbone_without_two_levels():
    with pytest.raises(InputError, match=r"cannot provide 'resnet18\.nonsense' with feature maps at levels \(-2, -1\)"):
        LinearityIQA(backbone="resnet18.nonsense")
