import pytest
import torch

from pcqa.models.grouping import group_points
from pcqa.models.mm_pcqa import MMPCQA
from rankqa_datasets.errors import InputError

SMALL = {
    "backbone": "test_resnet",
    "width": 16,
    "heads": 4,
    "feed_forward": 24,
    "dropout": 0.0,
    "counts": [16, 8],
    "radii": [[0.3, 0.6], [0.5, 1.0]],
    "neighbors": [[8, 12], [4, 8]],
    "widths": [[[8, 16], [8, 12]], [[16, 24], [16, 20]]],
    "global_widths": [24, 32],
}


def clouds(batch: int = 3, count: int = 4, size: int = 64) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(batch, count, size, 3, generator=generator)
    return {
        "points": points / points.norm(dim=-1, keepdim=True).amax(dim=2, keepdim=True),
        "colors": torch.rand(batch, count, size, 3, generator=generator),
        "scales": torch.rand(batch, count, generator=generator) + 0.1,
        "views": torch.rand(batch, 5, 3, 64, 64, generator=generator),
    }


def small_model(attention: str, **options) -> MMPCQA:
    torch.manual_seed(0)
    return MMPCQA(attention=attention, **(SMALL | options))


BOTH = pytest.mark.parametrize("attention", ["means", "tokens"])


def test_published_widths_have_the_published_fusion():
    model = MMPCQA(patch_scale=False)
    parts = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
    assert parts["backbone"] == 23_508_032  # ResNet-50 without its classifier
    assert parts["view_token"] == 2048 * 1024 + 1024 + 2 * 1024
    assert parts["patch_token"] == 1024 * 1024 + 1024 + 2 * 1024
    attention = 4 * (1024 * 1024 + 1024)
    block = attention + 1024 * 2048 + 2048 + 2048 * 1024 + 1024 + 4 * 1024
    assert parts["view_block"] == parts["patch_block"] == block
    assert parts["head"] == 4096 * 2048 + 2048 + 2048 + 1


def test_as_published_neither_query_nor_key_ever_learns():
    model = small_model("means")
    model(clouds())["scores"].square().sum().backward()
    for block in (model.view_block, model.patch_block):
        query, key, value = block.attend.in_proj_weight.grad.chunk(3)
        assert query.abs().max() < 1e-7 > key.abs().max()
        assert value.abs().max() > 1e-6
    # Values come from a modality itself: the attended views do not change with the patches.
    views, patches, others = torch.rand(2, 1, 16), torch.rand(2, 1, 16), torch.rand(2, 1, 16)
    torch.testing.assert_close(
        model.view_block(views, query=patches, keys=views), model.view_block(views, query=others, keys=views)
    )


@pytest.mark.parametrize("options", [{}, {"use_colors": True}, {"patch_scale": False}])
def test_with_tokens_gradient_reaches_every_parameter(options):
    model = small_model("tokens", **options)
    # At first the weights of attention are all but even.
    for block in (model.view_block, model.patch_block):
        torch.nn.init.normal_(block.attend.in_proj_weight)
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():  # a gain that starts at zero lets no gradient through at first
                parameter.fill_(0.1)
    (model(clouds())["scores"] * torch.tensor([1.0, 2.0, 4.0])).sum().backward()
    for block in (model.view_block, model.patch_block):
        for weights in block.attend.in_proj_weight.grad.chunk(3):
            assert weights.abs().max() > 1e-6
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        if not (name.endswith("bias") and "lins" in name):
            assert parameter.grad.abs().max() > 0, name


@BOTH
def test_order_of_views_and_patches_does_not_matter(attention):
    model, batch = small_model(attention).eval(), clouds()
    scores = model(batch)["scores"]
    assert scores.shape == (3,)
    shuffled = {name: value[:, [2, 0, 3, 1]] for name, value in batch.items() if name != "views"}
    shuffled["views"] = batch["views"][:, [4, 1, 0, 2, 3]]
    torch.testing.assert_close(model(shuffled)["scores"], scores)


@BOTH
def test_a_batch_is_its_clouds_one_by_one(attention):
    model, batch = small_model(attention).eval(), clouds()
    scores = model(batch)["scores"]
    alone = [model({name: value[row : row + 1] for name, value in batch.items()})["scores"] for row in range(3)]
    torch.testing.assert_close(torch.cat(alone), scores, rtol=1e-4, atol=1e-6)
    tables = group_points(batch["points"].flatten(0, 1), model.encoder.groupings)
    tabled = batch | {name: table.unflatten(0, (3, 4)) for name, table in tables.items()}
    torch.testing.assert_close(model(tabled)["scores"], scores)


@BOTH
def test_both_modalities_count(attention):
    model, batch = small_model(attention).eval(), clouds()
    scores = model(batch)["scores"]
    for name in ("views", "points", "scales"):
        assert not torch.allclose(model(batch | {name: 0.5 * batch[name]})["scores"], scores), name
    assert torch.equal(model({name: value for name, value in batch.items() if name != "colors"})["scores"], scores)


@BOTH
def test_degenerate_clouds_have_finite_scores_and_gradients(attention):
    model = small_model(attention, use_colors=True)
    flat = {name: torch.zeros_like(value) for name, value in clouds().items()}
    scores = model(flat)["scores"]
    scores.sum().backward()
    assert torch.isfinite(scores).all()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_missing_inputs_and_bad_options_are_named():
    model, batch = small_model("tokens"), clouds()
    with pytest.raises(ValueError, match="needs views in the batch"):
        model({name: value for name, value in batch.items() if name != "views"})
    with pytest.raises(ValueError, match="needs points, scales in the batch"):
        model({"views": batch["views"]})
    with pytest.raises(InputError, match=r"set input\.views\.crop = 160"):
        small_model("tokens", backbone="test_vit")(batch)
