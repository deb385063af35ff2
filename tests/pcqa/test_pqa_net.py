import pytest
import torch

from pcqa.config import CloudRunConfig
from pcqa.modality import CLOUD
from pcqa.models.pqa_net import GDN, PQANet
from shared_engine.config_files import read_recipe, resolve_config
from shared_losses import Objective, Term, cross_entropy_loss


def test_published_layers():
    model = PQANet().eval()
    out = model({"views": torch.rand(2, 6, 3, 235, 235)})
    assert out["type_logits"].shape == (2, 4)
    maps = model.stages[:-1](torch.rand(1, 3, 235, 235))
    assert maps.shape == (1, 64, 2, 2)
    gdn = sum(c * c + c for c in (8, 16, 32, 64, 256, 32))
    convolutions = 8 * (3 * 25 + 1) + 16 * (8 * 25 + 1) + 32 * (16 * 25 + 1) + 64 * (32 * 9 + 1) + 2 * 64
    heads = 256 * (384 + 1) + 4 * (256 + 1) + 32 * (384 + 1) + 4 * (32 + 1)
    assert sum(p.numel() for p in model.parameters()) == gdn + convolutions + heads


def test_score_is_the_mean_quality_under_the_types():
    torch.manual_seed(0)
    model = PQANet(types=3).eval()
    views = torch.rand(2, 6, 3, 171, 171)
    features = torch.stack([model.stages(views[:, v]).flatten(1) for v in range(6)], dim=1).flatten(1)[..., None, None]
    out = model({"views": views})
    qualities = model.quality_head(features).flatten(1)
    expected = (out["type_logits"].softmax(1) * qualities).sum(1)
    torch.testing.assert_close(out["scores"], expected)


def test_gdn_equals_its_formula():
    torch.manual_seed(0)
    layer = GDN(3)
    with torch.no_grad():
        layer.root_beta.uniform_(0.5, 1)
        layer.root_gamma.uniform_(-1, 1)
    x = torch.randn(2, 3, 4, 4)
    y = layer(x)
    for i in range(3):
        energy = layer.root_beta[i] ** 2 + sum(layer.root_gamma[i, j] ** 2 * x[:, j] ** 2 for j in range(3))
        torch.testing.assert_close(y[:, i], x[:, i] / energy.sqrt(), atol=1e-5, rtol=1e-4)


def test_the_published_objective_is_cross_entropy_and_a_share_of_the_absolute_error():
    recipe = read_recipe("pqa-net-types", CLOUD.recipes)
    config = resolve_config(CloudRunConfig, [recipe, {"data": {"manifest": "m.csv", "classes": "type"}}]).objective
    terms = [Term(t.name, t.weight, use_bank=t.bank, options=t.options, output=t.output) for t in config.terms]
    scores, targets, types = torch.tensor([1.0, 4.0]), torch.tensor([2.0, 2.0]), torch.tensor([0, 1])
    logits = torch.tensor([[2.0, 0.0], [1.0, 1.0]]).requires_grad_()
    outputs = {"type_logits": logits, "classes": types}
    # As published for opinions of WPC's deviation: in units of it about a mean, scores are those of the paper.
    objective = Objective(terms, target_location=50, target_scale=22.8)
    total, _ = objective(((scores - 50) / 22.8).requires_grad_(), targets, outputs=outputs)
    entropy = -(logits.log_softmax(1)[torch.arange(2), types]).mean()
    torch.testing.assert_close(total, entropy + 0.025 * 1.5)


def test_cross_entropy_teaches_types():
    torch.manual_seed(0)
    model = PQANet(types=2)
    types = torch.tensor([0, 1, 0, 1])
    # Fine noise or coarse noise.
    fine, coarse = torch.rand(2, 6, 3, 176, 176), torch.rand(2, 6, 3, 22, 22).repeat_interleave(8, 3)
    views = torch.stack([fine, coarse.repeat_interleave(8, 4)], dim=1).flatten(0, 1)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(8):
        out = model({"views": views})
        loss = cross_entropy_loss(out["scores"], types.float(), class_logits=out["type_logits"], classes=types)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert torch.equal(model({"views": views})["type_logits"].argmax(1), types)


def test_bad_options_and_small_views_are_named():
    with pytest.raises(ValueError, match="at least one type"):
        PQANet(types=0)
    with pytest.raises(ValueError, match="at least 171 pixels, got 170 x 200"):
        PQANet()({"views": torch.rand(1, 6, 3, 170, 200)})
