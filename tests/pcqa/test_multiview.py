import pytest
import torch

from pcqa.models.multiview import MultiView, pool_statistics


def views(batch: int = 3, count: int = 4, size: int = 32) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    masks = torch.zeros(batch, count, size, size)
    masks[..., 8:24, 4:20] = 1
    colors = torch.rand(batch, count, 3, size, size, generator=generator)
    return {"views": torch.where(masks[:, :, None] > 0, colors, 1.0), "masks": masks}


def small_model(**options) -> MultiView:
    torch.manual_seed(0)
    return MultiView(**({"widths": [8, 16], "hidden": 8} | options))


def test_scores_do_not_depend_on_the_order_of_views():
    model, batch = small_model().eval(), views()
    scores = model(batch)["scores"]
    assert scores.shape == (3,)
    shuffled = {name: tensor[:, [2, 0, 3, 1]] for name, tensor in batch.items()}
    torch.testing.assert_close(model(shuffled)["scores"], scores)
    assert torch.equal(model(batch)["scores"], scores)


def test_pooling_equals_weighted_statistics():
    maps, masks = torch.randn(2, 3, 4, 4), torch.rand(2, 4, 4)
    pooled = pool_statistics(maps, masks)
    for n in range(2):
        for c in range(3):
            weights = masks[n] / masks[n].sum()
            mean = (weights * maps[n, c]).sum()
            torch.testing.assert_close(pooled[n, c], mean)
            spread = ((weights * (maps[n, c] - mean) ** 2).sum() + 1e-8).sqrt()
            torch.testing.assert_close(pooled[n, 3 + c], spread)


def test_pooling_ignores_what_lies_outside_the_mask():
    maps, masks = torch.randn(2, 3, 4, 4), torch.zeros(2, 8, 8)
    masks[:, :4] = 1
    changed = maps.clone()
    changed[:, :, 2:] += 100
    torch.testing.assert_close(pool_statistics(maps, masks), pool_statistics(changed, masks))


def test_an_empty_view_is_no_nan():
    batch = views()
    batch["masks"][:, 0] = 0
    scores = small_model()(batch)["scores"]
    scores.sum().backward()
    assert torch.isfinite(scores).all()


def test_without_masks_the_whole_view_counts():
    model, batch = small_model().eval(), views()
    full = batch | {"masks": torch.ones_like(batch["masks"])}
    torch.testing.assert_close(model({"views": batch["views"]})["scores"], model(full)["scores"])


def test_gradient_reaches_every_parameter():
    model = small_model(dropout=0.0)
    model(views())["scores"].square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_bad_shapes_and_options_are_named():
    with pytest.raises(ValueError, match=r"views must be \(B, V, 3, H, W\), got \(4, 3, 32, 32\)"):
        small_model()({"views": views()["views"][0]})
    with pytest.raises(ValueError, match="no pretrained weights"):
        MultiView(pretrained=True)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["resnet10t", "test_vit"])
def test_timm_backbones_serve_as_well(backbone):
    torch.manual_seed(0)
    model = MultiView(backbone=backbone, dropout=0.0)
    batch = views(batch=2, count=2, size=160)
    assert model(batch)["scores"].shape == (2,)
    assert {id(p) for p in model.backbone_parameters()} == {id(p) for p in model.backbone.parameters()}
    assert small_model().backbone_parameters() == []
