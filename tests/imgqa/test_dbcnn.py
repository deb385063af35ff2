"""Against the layers of the program zwx8981/DBCNN-PyTorch (DBCNN.py, SCNN.py)."""

import torch
from torch import Tensor, nn

from imgqa.models.dbcnn import DBCNN

VGG16 = 138_357_544 - 123_642_856  # torchvision's, less its three dense layers
SCNN = [(3, 48), (48, 48), (48, 64), (64, 64), (64, 64), (64, 64), (64, 128), (128, 128), (128, 128)]


def images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def test_parameters_as_published():
    with torch.device("meta"):
        model = DBCNN()
    # Convolutions with bias, and two for each channel of the batch normalisation.
    distortions = sum(9 * before * after + 3 * after for before, after in SCNN)
    assert sum(p.numel() for p in model.backbone_parameters()) == VGG16
    assert sum(p.numel() for p in model.parameters()) == VGG16 + distortions + 512 * 128 + 1 == 15_311_345


def test_vgg_ends_before_its_last_pooling():
    with torch.device("meta"):
        model = DBCNN()
        contents = model.backbone(torch.empty(1, 3, 224, 224))[0]
        distortions = model.distortions(torch.empty(1, 3, 224, 224))
    assert contents.shape == (1, 512, 14, 14)
    assert distortions.shape == (1, 128, 14, 14)
    assert isinstance(list(model.backbone.children())[-1], nn.ReLU)


def test_bilinear_pooling_place_by_place():
    torch.manual_seed(0)
    model = DBCNN(backbone="test_resnet").eval()
    given = images(2, 1, 3, 64, 48)
    with torch.inference_mode():
        normalised = model.normalise(given[:, 0])
        contents, distortions = model.backbone(normalised)[0].relu(), model.distortions(normalised)
        assert contents.shape[2:] == distortions.shape[2:] == (4, 3)
        expected = []
        for content, distortion in zip(contents, distortions, strict=True):
            outer = [torch.outer(content[:, y, x], distortion[:, y, x]) for y in range(4) for x in range(3)]
            pooled = (torch.stack(outer).mean(dim=0).flatten() + 1e-8).sqrt()
            expected.append(model.head(pooled / pooled.square().sum().sqrt())[0])
        torch.testing.assert_close(model({"images": given})["scores"], torch.stack(expected), rtol=1e-4, atol=1e-5)


def test_maps_of_different_sizes_are_brought_to_that_of_the_backbone():
    model = DBCNN(backbone="test_resnet").eval()
    with torch.inference_mode():
        given = images(1, 1, 3, 33, 47)
        assert model.backbone(given[:, 0])[0].shape[2:] == model.distortions(given[:, 0]).shape[2:] == (3, 3)
        model.distortions[-1] = nn.Sequential(model.distortions[-1], nn.AvgPool2d(2))
        assert torch.isfinite(model({"images": given})["scores"]).all()
