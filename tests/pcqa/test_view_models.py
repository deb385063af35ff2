"""What all networks on projections have in common."""

import pytest
import torch
from torch import Tensor, nn

from pcqa.models.gms_3dqa import GMS3DQA
from pcqa.models.it_pcqa import ITPCQA
from pcqa.models.multiview import MultiView
from pcqa.models.pqa_net import PQANet
from pcqa.models.timm_views import TimmViews
from rankqa_datasets.errors import InputError

# Small versions and the side of their views.
MODELS = {
    "gms-3dqa": (lambda: GMS3DQA(backbone="test_resnet", patch=16, grid=4, hidden=8, dropout=0.0), 64),
    "it-pcqa": (lambda: ITPCQA(channels=8, hidden=8), 48),
    "multiview": (lambda: MultiView(widths=[8, 16], hidden=8, dropout=0.0), 32),
    "pqa-net": (lambda: PQANet(types=3, dropout=0.0), 171),
    "timm-views": (lambda: TimmViews(backbone="test_resnet"), 64),
}


@pytest.fixture(params=MODELS)
def name(request) -> str:
    return request.param


@pytest.fixture
def model(name) -> nn.Module:
    torch.manual_seed(0)
    return MODELS[name][0]()


@pytest.fixture
def batch(name) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    size = MODELS[name][1]
    masks = torch.zeros(3, 6, size, size)
    masks[..., size // 8 : -size // 8, size // 4 : -size // 8] = 1
    colors = torch.rand(3, 6, 3, size, size, generator=generator)
    return {"views": torch.where(masks[:, :, None] > 0, colors, 1.0), "masks": masks}


def test_gradient_reaches_every_parameter(model, batch):
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():  # a gain that starts at zero lets no gradient through at first
                parameter.fill_(0.1)
    (model(batch)["scores"] * torch.tensor([1.0, 2.0, 4.0])).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


def test_a_batch_is_its_clouds_one_by_one_and_evaluation_repeats(model, batch):
    model.eval()
    with torch.inference_mode():
        scores = model(batch)["scores"]
        assert scores.shape == (3,)
        assert scores.unique().numel() == 3
        assert torch.equal(model(batch)["scores"], scores)
        alone = [model({key: value[row : row + 1] for key, value in batch.items()})["scores"] for row in range(3)]
    torch.testing.assert_close(torch.cat(alone), scores, rtol=1e-4, atol=1e-6)


def test_empty_and_plain_views_have_finite_scores_and_gradients(model, batch):
    views = torch.ones_like(batch["views"])
    views[1] = 0
    views.requires_grad_()
    scores = model({"views": views, "masks": torch.zeros_like(batch["masks"])})["scores"]
    scores.sum().backward()
    assert torch.isfinite(scores).all()
    assert torch.isfinite(views.grad).all()


def test_masks_may_be_missing(model, batch):
    model.eval()
    scores = model({"views": batch["views"]})["scores"]
    full = {"views": batch["views"], "masks": torch.ones_like(batch["masks"])}
    torch.testing.assert_close(scores, model(full)["scores"])


def test_other_batches_are_named(model, batch):
    with pytest.raises(ValueError, match="needs views in the batch, got points"):
        model({"points": batch["views"]})
    with pytest.raises(ValueError, match=r"views must be \(B, V, 3, H, W\), got \(6, 3,"):
        model({key: value[0] for key, value in batch.items()})


@pytest.mark.parametrize("model", [PQANet(), ITPCQA(channels=4)])
def test_a_fixed_number_of_views_is_asked_for(model):
    with pytest.raises(ValueError, match=r"reads 6 views of a cloud, got 8: set input\.views\.views"):
        model({"views": torch.rand(1, 8, 3, 32, 32)})


def test_scores_of_plain_views_are_means_over_them():
    torch.manual_seed(0)
    model = TimmViews(backbone="test_resnet").eval()
    views = torch.rand(2, 4, 3, 64, 64)
    out = model({"views": views})
    torch.testing.assert_close(out["scores"], out["view_scores"].mean(dim=1))
    shuffled = model({"views": views[:, [3, 1, 0, 2]]})["scores"]
    torch.testing.assert_close(shuffled, out["scores"])
    assert {id(p) for p in model.backbone_parameters()} == {id(p) for p in model.backbone.parameters()}


def test_plain_views_refuse_bad_options():
    with pytest.raises(ValueError, match=r"dropout in \[0, 1\), got 1.0"):
        TimmViews(backbone="test_resnet", dropout=1.0)
    with pytest.raises(InputError, match="timm has no backbone 'resnet19'"):
        TimmViews(backbone="resnet19")
    with pytest.raises(InputError, match=r"set input\.views\.crop = 160"):
        TimmViews(backbone="test_vit")({"views": torch.rand(1, 2, 3, 64, 64)})
