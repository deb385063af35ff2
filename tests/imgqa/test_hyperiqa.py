"""Against the layers of the program SSL92/hyperIQA (models.py, HyperNet(16, 112, 224, 112, 56, 28, 14, 7))."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from imgqa.models.hyperiqa import HyperIQA, _layer, _LocalDistortions

RESNET50 = 25_557_032 - 2_049_000  # torchvision's, less the 1000 classes on 2048 features


def images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def test_parameters_as_published():
    with torch.device("meta"):
        model = HyperIQA()
    # Local distortion features: a 1 x 1 convolution without bias (not on the last level) and a linear layer each.
    local = (256 * 16) + (16 * 64 * 16 + 16) + (512 * 32) + (32 * 16 * 16 + 16) + (1024 * 64) + (64 * 4 * 16 + 16)
    local += 2048 * (224 - 48) + (224 - 48)
    reduce = (2048 * 1024 + 1024) + (1024 * 512 + 512) + (512 * 112 + 112)
    weights = sum(112 * 9 * channels + channels for channels in (512, 128, 32, 8))  # in * out / 49 of each layer
    biases = sum(112 * width + width for width in (112, 56, 28, 14, 14, 1))  # the 14 twice: weights of the last layer
    assert sum(p.numel() for p in model.parameters()) == RESNET50 + local + reduce + weights + biases
    assert sum(p.numel() for p in model.parameters()) == 27_375_369
    assert sum(p.numel() for p in model.backbone_parameters()) == RESNET50 + local


def test_a_layer_with_weights_of_its_own_for_each_row_against_a_grouped_convolution():
    features, weights, biases = images(5, 6), images(5, 8, 6), images(5, 8)
    # As the program computes it: the rows side by side as groups.
    grouped = conv2d(features.view(1, 30, 1, 1), weights.view(40, 6, 1, 1), biases.view(40), groups=5)
    torch.testing.assert_close(_layer(features, weights, biases), grouped.view(5, 8))


def test_the_scoring_network_layer_by_layer():
    torch.manual_seed(0)
    model = HyperIQA(backbone="test_resnet").eval()
    given = images(2, 1, 3, 224, 224)
    with torch.inference_mode():
        maps = model.backbone(model.normalise(given[:, 0]))
        reduced = model.reduce(maps[-1])
        assert reduced.shape == (2, 112, 7, 7)  # crops of 224 pixels fit the grid as they are
        mean = reduced.mean(dim=(2, 3))
        expected = []
        for i in range(2):
            x = torch.cat([local(level)[i] for local, level in zip(model.local, maps, strict=True)])
            assert x.shape == (224,)
            for weights, biases, width in zip(model.weights, model.biases, (112, 56, 28, 14), strict=True):
                x = torch.sigmoid(weights(reduced)[i].reshape(width, len(x)) @ x + biases(mean)[i])
            expected.append((model.last_weights(mean)[i] * x).sum() + model.last_bias(mean)[i, 0])
        torch.testing.assert_close(model({"images": given})["scores"], torch.stack(expected), rtol=1e-4, atol=1e-5)


def test_local_distortions_reduce_and_average_in_either_order():
    model = HyperIQA(backbone="test_resnet")
    level = images(2, 32, 56, 56)
    local = model.local[0]
    assert isinstance(local, _LocalDistortions)
    program = torch.nn.functional.avg_pool2d(local.reduce(level), 7, stride=7)
    torch.testing.assert_close(local(level), local.join(program.flatten(1)), rtol=1e-4, atol=1e-5)
