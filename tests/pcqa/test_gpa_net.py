import pytest
import torch

from pcqa.models.gpa_net import GPANet, PerturbationConv
from pcqa.models.neighborhoods import gather_neighbors, neighbor_offsets

SMALL = {"neighbors": 6, "widths": [8, 16], "heads": 2, "head": [16]}


def patches(batch: int = 3, count: int = 2, size: int = 48) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "points": torch.rand(batch, count, size, 3, generator=generator) - 0.5,
        "colors": torch.rand(batch, count, size, 3, generator=generator),
        "scales": torch.rand(batch, count, generator=generator) + 0.1,
    }


def small_model(**options) -> GPANet:
    torch.manual_seed(0)
    return GPANet(**(SMALL | options))


def test_number_of_parameters():
    def conv(before: int, after: int) -> int:
        attend, perturb = 6 * 16 + 16 + 16 * 4, 6 * 32 + 32 + 32 * after
        return attend + perturb + 2 * before * after + 2 * after

    head = sum(i * o + 3 * o for i, o in [(513, 128), (128, 64)]) + 65
    count = sum(parameter.numel() for parameter in GPANet().parameters())
    assert count == conv(0, 64) + conv(64, 128) + conv(128, 256) + head


def test_convolution_equals_a_naive_loop():
    torch.manual_seed(0)
    layer = PerturbationConv(3, 4, 6, 2).eval()
    features, perturbations = torch.randn(1, 5, 3), torch.randn(1, 5, 2, 6)
    table = torch.tensor([[[0, 1], [1, 4], [2, 0], [3, 2], [4, 1]]])
    found = layer(features, perturbations, table)
    for i in range(5):
        d = perturbations[0, i]
        weights = layer.attend(d).softmax(dim=0)
        total = layer.own(features[0, i])
        for j in range(2):
            message = layer.perturb(d[j]) + layer.other(features[0, table[0, i, j]] - features[0, i])
            total = total + message * weights[j].repeat_interleave(2)
        torch.testing.assert_close(found[0, i], layer.norm(total[None])[0].relu(), atol=1e-5, rtol=1e-5)


def test_offsets_are_differences_in_units_of_the_expected_reach():
    points, colors = torch.rand(2, 9, 3), torch.rand(2, 9, 3)
    table = torch.randint(9, (2, 9, 4))
    offsets = neighbor_offsets(points, colors, table)
    assert gather_neighbors(points, table).shape == (2, 9, 4, 3)
    for n, i, j in [(0, 0, 0), (1, 8, 3), (1, 4, 2)]:
        other = table[n, i, j]
        expected = torch.cat([1.5 * (points[n, other] - points[n, i]), colors[n, other] - colors[n, i]])
        torch.testing.assert_close(offsets[n, i, j], expected)


def test_scores_are_means_over_patches_in_any_order_of_points():
    model, batch = small_model().eval(), patches()
    out = model(batch)
    assert out["scores"].shape == (3,)
    torch.testing.assert_close(out["scores"], out["patch_scores"].mean(dim=1))
    order = torch.randperm(48, generator=torch.Generator().manual_seed(1))
    shuffled = batch | {name: batch[name][:, :, order] for name in ("points", "colors")}
    torch.testing.assert_close(model(shuffled)["scores"], out["scores"], atol=1e-5, rtol=1e-5)
    alone = [model({name: value[row : row + 1] for name, value in batch.items()})["scores"] for row in range(3)]
    torch.testing.assert_close(torch.cat(alone), out["scores"], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"use_colors": False, "patch_scale": False}])
def test_gradient_reaches_every_parameter(options):
    model = small_model(**options, dropout=0.0)
    model(patches())["scores"].square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        # Batch normalisation takes the mean away, so biases before it have no say.
        if not (name.endswith("bias") and "lins" in name):
            assert parameter.grad.abs().sum() > 0, name


def test_colors_count_by_their_differences_alone():
    model, batch = small_model().eval(), patches()
    scores = model(batch)["scores"]
    lighter = batch | {"colors": batch["colors"] + 0.1}
    torch.testing.assert_close(model(lighter)["scores"], scores, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(model(batch | {"colors": batch["colors"] ** 2})["scores"], scores)


def test_a_patch_of_equal_points_scores_finitely():
    flat = {name: torch.zeros_like(value) for name, value in patches().items()}
    scores = small_model()(flat)["scores"]
    scores.sum().backward()
    assert torch.isfinite(scores).all()


def test_bad_options_and_small_patches_are_named():
    with pytest.raises(ValueError, match="multiples of heads = 3"):
        small_model(heads=3)
    with pytest.raises(ValueError, match="patches of 4 points cannot have 6 neighbours each"):
        small_model()(patches(size=4))
