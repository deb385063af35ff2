import pytest
import torch
from torch import Tensor

from imgqa.models.reference_pairs import reference_pairs
from imgqa.models.siamese_resnet import SiameseResNet
from rankqa_datasets.errors import InputError


def batch(*shape: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {"images": torch.rand(*shape, generator=generator), "references": torch.rand(*shape, generator=generator)}


def test_the_head_sees_difference_and_product_of_the_backbones_features():
    torch.manual_seed(0)
    model = SiameseResNet(backbone="test_resnet", hidden=8).eval()
    given = batch(2, 1, 3, 64, 64)
    image, reference = (model.backbone(model.normalise(given[name][:, 0])) for name in ("images", "references"))
    expected = model.head(torch.cat([image - reference, image * reference], dim=1))[:, 0]
    torch.testing.assert_close(model(given)["scores"], expected, rtol=1e-4, atol=1e-6)


def test_parameters_and_backbone_parameters():
    model = SiameseResNet(backbone="resnet18", hidden=128)
    backbone = {id(parameter) for parameter in model.backbone_parameters()}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in backbone]
    assert (
        sum(p.numel() for p in model.backbone_parameters()) == 11_176_512
    )  # torchvision's 11,689,512 less the classes
    assert sum(p.numel() for p in rest) == 2 * 512 * 128 + 128 + 128 + 1


def test_bad_options():
    with pytest.raises(ValueError, match="hidden"):
        SiameseResNet(hidden=0)
    with pytest.raises(ValueError, match="dropout"):
        SiameseResNet(dropout=1.0)
    with pytest.raises(InputError, match="no backbone 'resnt18'"):
        SiameseResNet(backbone="resnt18")


def test_pairs_keep_the_reference_first():
    given = batch(2, 3, 3, 4, 5)
    pairs = reference_pairs(given)
    assert torch.equal(pairs[:, :, :3], given["references"])
    assert torch.equal(pairs[:, :, 3:], given["images"])


def test_pairs_of_different_shapes():
    with pytest.raises(InputError, match=r"shape of images, \(1, 1, 3, 4, 5\), got \(1, 1, 3, 4, 4\)"):
        reference_pairs({"images": torch.rand(1, 1, 3, 4, 5), "references": torch.rand(1, 1, 3, 4, 4)})
