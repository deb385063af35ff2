"""Against the layer list of the authors' program (smehdia/NTIRE2021-IQA-MACS, model_attention.py)."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from imgqa.models.asna import ASNA, _EvenStride
from rankqa_datasets.errors import InputError

# Kernel side, channels in, channels out of each convolution, in order.
ENCODER = [(5, 3, 3), (5, 3, 8), (5, 8, 16), (3, 16, 32), (3, 32, 64)]
DECODER = [(3, 64, 64), (3, 128, 64), (3, 96, 32), (3, 48, 16), (3, 24, 32), (3, 32, 32)]
ATTENTION = [(3, 32, 8), (3, 8, 8), (1, 8, 8), (1, 8, 8), (1, 8, 8), (1, 8, 8), (1, 48, 8)]
RESIDUAL = [(3, 8, 8)] * 6


def weights(convolutions: list[tuple[int, int, int]]) -> int:
    return sum(kernel**2 * before * after + after for kernel, before, after in convolutions)


def count(*modules: nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def batch(side: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shape = (2, 1, 3, side, side)
    return {"images": torch.rand(*shape, generator=generator), "references": torch.rand(*shape, generator=generator)}


def test_parameters_part_by_part():
    model = ASNA()
    # A batch normalisation has two for each channel.
    assert count(model.encoder) == weights(ENCODER) + 2 * (8 + 16 + 32 + 64) == 27_428
    assert count(model.bottom, model.decoder) == weights(DECODER) + 2 * (64 + 64 + 32 + 16 + 32 + 32) == 162_000
    assert count(model.attention) == weights(ATTENTION) + 2 * 8
    assert count(model.residual) == weights(RESIDUAL)
    assert count(model.head) == (36 * 36 * 8 * 32 + 32) + (32 + 1) + (1 + 1)
    assert count(model) == 528_367


def test_shapes_of_the_levels():
    model = ASNA().eval()
    shapes = {}
    named = {f"encoder {i}": stage for i, stage in enumerate(model.encoder)}
    named |= {f"decoder {i}": stage for i, stage in enumerate(model.decoder)}
    for name, module in {**named, "bottom": model.bottom, "attention": model.attention}.items():
        module.register_forward_hook(lambda _, __, out, name=name: shapes.__setitem__(name, tuple(out.shape[1:])))
    with torch.inference_mode():
        assert model(batch(288))["scores"].shape == (2,)
    assert [shapes[f"encoder {i}"] for i in range(4)] == [
        (8, 288, 288),
        (16, 144, 144),
        (32, 72, 72),
        (64, 36, 36),
    ]
    assert shapes["bottom"] == (64, 36, 36)
    assert [shapes[f"decoder {i}"] for i in range(4)] == [(64, 72, 72), (32, 144, 144), (16, 288, 288), (32, 36, 36)]
    assert shapes["attention"] == (8, 36, 36)


def test_equal_images_leave_the_branch_of_the_image_alone():
    model = ASNA(crop=32).eval()
    images = batch(32)["images"]
    inputs = []
    model.decoder[0].register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    with torch.inference_mode():
        model({"images": images, "references": images})
    assert inputs[0][:, 64:].abs().max() == 0  # the difference
    assert inputs[0][:, :64].abs().max() > 0


def test_the_deepest_features_are_those_of_the_distorted_image():
    torch.manual_seed(0)
    model = ASNA(crop=32).eval()
    given, seen = batch(32), []
    model.bottom.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        model(given)
        features = given["images"][:, 0] * 2 - 1
        for stage in model.encoder:
            features = stage(features)
    torch.testing.assert_close(seen[0], features, rtol=1e-4, atol=1e-5)


def test_stride_two_pads_as_keras_does():
    # "same": ceil(6 / 2) = 3 windows, 3 + 2 * 2 - 6 = 1 row to add, half of it rounded down before the first: none.
    layer, image = _EvenStride(), torch.rand(1, 32, 6, 6)
    padded = torch.zeros(1, 32, 7, 7)
    padded[..., :6, :6] = image
    torch.testing.assert_close(layer(image), conv2d(padded, layer.weight, layer.bias, stride=2))


def test_other_crop_sizes():
    with pytest.raises(InputError, match=r"288 x 288 pixels, got 64 x 64: set input\.crop = 288"):
        ASNA()(batch(64))
    for crop in (0, 40):
        with pytest.raises(ValueError, match=f"positive multiple of 16 pixels, got {crop}"):
            ASNA(crop=crop)
