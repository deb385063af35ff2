import pytest
import torch
from scipy.spatial import KDTree

from pcqa.models.dgcnn import DGCNN, nearest_features

SMALL = {"neighbors": 6, "widths": [8, 16], "embedding": 24, "head": [16, 8]}


def patches(batch: int = 3, count: int = 2, size: int = 48) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "points": torch.rand(batch, count, size, 3, generator=generator) - 0.5,
        "colors": torch.rand(batch, count, size, 3, generator=generator),
        "scales": torch.rand(batch, count, generator=generator) + 0.1,
    }


def small_model(**options) -> DGCNN:
    torch.manual_seed(0)
    return DGCNN(**(SMALL | options))


def test_published_widths_have_the_published_number_of_parameters():
    count = sum(parameter.numel() for parameter in DGCNN(use_colors=False, patch_scale=False).parameters())
    # Each layer without bias, two parameters a channel for its norm; the last layer with bias.
    pairs = [(6, 64), (128, 64), (128, 128), (256, 256), (512, 1024), (2048, 512), (512, 256)]
    assert count == sum(i * o + 2 * o for i, o in pairs) + 256 + 1
    assert round(count / 1e6, 1) == 1.8


@pytest.mark.parametrize("use_colors", [True, False])
def test_first_layer_equals_a_naive_loop(use_colors):
    model, batch = small_model(use_colors=use_colors).eval(), patches(batch=1, count=1)
    points, colors = batch["points"][0, 0], 2 * batch["colors"][0, 0] - 1
    seen = []
    model.convs[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(batch)
    table = torch.cdist(points, points).topk(6, largest=False).indices
    for i in range(len(points)):
        edges = []
        for j in table[i]:
            parts = [points[i], (points[j] - points[i]) / (6 / 48) ** 0.5, colors[j] - colors[i]]
            edges.append(torch.cat(parts if use_colors else parts[:2]))
        torch.testing.assert_close(seen[0][0, i], model.first(torch.stack(edges)).amax(dim=0), atol=1e-5, rtol=1e-5)


def test_second_layer_equals_a_naive_loop():
    model = small_model().eval()
    conv, features = model.convs[0], torch.randn(48, 8)
    table = torch.cdist(features, features).topk(6, largest=False).indices
    ours = conv(features[None], table[None])[0]
    for i in range(48):
        edges = torch.stack([torch.cat([features[i], features[j] - features[i]]) for j in table[i]])
        torch.testing.assert_close(ours[i], conv.nn(edges).amax(dim=0), atol=1e-5, rtol=1e-5)


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


def test_half_precision_keeps_differences_of_features():
    layer, features = small_model().eval().convs[0], 100 + torch.randn(1, 48, 8)
    table = nearest_features(features, 6)
    wanted = layer(features, table)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(features, table), wanted)


def test_nearest_features_are_those_of_a_kd_tree():
    features = torch.randn(2, 40, 9, generator=torch.Generator().manual_seed(0)) + 5
    table = nearest_features(features, 4)
    for patch, found in zip(features, table, strict=True):
        assert found.tolist() == KDTree(patch.double()).query(patch.double(), k=4)[1].tolist()


def test_scores_are_means_over_patches_in_any_order_of_points():
    model, batch = small_model().eval(), patches()
    out = model(batch)
    assert out["scores"].shape == (3,)
    torch.testing.assert_close(out["scores"], out["patch_scores"].mean(dim=1))
    order = torch.randperm(48, generator=torch.Generator().manual_seed(1))
    shuffled = batch | {name: batch[name][:, :, order] for name in ("points", "colors")}
    torch.testing.assert_close(model(shuffled)["scores"], out["scores"], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"use_colors": False, "patch_scale": False}])
def test_gradient_reaches_every_parameter(options):
    model = small_model(**options, dropout=0.0)
    model(patches())["scores"].square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_evaluation_repeats_exactly():
    model, batch = small_model().eval(), patches()
    assert torch.equal(model(batch)["scores"], model(batch)["scores"])


def test_patches_with_fewer_points_than_neighbors_are_refused():
    with pytest.raises(ValueError, match="patches of 4 points cannot have 6 neighbours each"):
        small_model()(patches(size=4))
