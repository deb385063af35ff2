import pytest
import torch

from pcqa.models.grouping import group_points
from pcqa.models.pointnet2 import PointNet2
from pcqa.models.pointnet2_msg import PointNet2MSG

SMALL = {
    "counts": [16, 8],
    "radii": [[0.3, 0.6], [0.5, 1.0]],
    "neighbors": [[8, 12], [4, 8]],
    "widths": [[[8, 16], [8, 12]], [[16, 24], [16, 20]]],
    "global_widths": [24, 32],
    "head": [16],
}


def patches(batch: int = 3, count: int = 2, size: int = 64) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(batch, count, size, 3, generator=generator)
    return {
        "points": points / points.norm(dim=-1, keepdim=True).amax(dim=2, keepdim=True),
        "colors": torch.rand(batch, count, size, 3, generator=generator),
        "scales": torch.rand(batch, count, generator=generator) + 0.1,
    }


def small_model(**options) -> PointNet2MSG:
    torch.manual_seed(0)
    return PointNet2MSG(**(SMALL | options))


def with_tables(batch: dict[str, torch.Tensor], model: PointNet2MSG) -> dict[str, torch.Tensor]:
    shape = batch["points"].shape[:2]
    tables = group_points(batch["points"].flatten(0, 1), model.encoder.groupings)
    return batch | {name: table.unflatten(0, shape) for name, table in tables.items()}


def test_published_widths_have_the_published_layers():
    model = PointNet2MSG(use_colors=False, patch_scale=False)
    # First level from 3 coordinates; second from 64 + 128 + 128 channels and 3; global from 128 + 256 + 256 and 3.
    first = [(3, 32), (32, 32), (32, 64), (3, 64), (64, 64), (64, 128), (3, 64), (64, 96), (96, 128)]
    second = [(323, 64), (64, 64), (64, 128)] + 2 * [(323, 128), (128, 128), (128, 256)]
    last = [(643, 256), (256, 512), (512, 1024), (1024, 512), (512, 256)]
    # Weight, bias, and two for its norm in each layer.
    expected = sum(i * o + 3 * o for i, o in first + second + last) + 256 + 1
    assert sum(parameter.numel() for parameter in model.parameters()) == expected == 1_737_345


def test_one_scale_is_the_single_scale_network():
    options = {"counts": [16, 8], "head": [16], "dropout": 0.0}
    single = PointNet2(**options, radii=[0.4, 0.8], neighbors=[8, 8], widths=[[8, 16], [16, 24], [24, 32]]).eval()
    multi = PointNet2MSG(
        **options, radii=[[0.4], [0.8]], neighbors=[[8], [8]], widths=[[[8, 16]], [[16, 24]]], global_widths=[24, 32]
    ).eval()
    torch.manual_seed(1)
    weights = {name: torch.rand_like(value) if value.is_floating_point() else value
               for name, value in single.state_dict().items()}  # fmt: skip
    single.load_state_dict(weights)
    multi.load_state_dict(dict(zip(multi.state_dict(), _in_order(weights), strict=True)))
    torch.testing.assert_close(multi(patches())["scores"], single(patches())["scores"])


def _in_order(weights: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """Values of the single-scale network as the multi-scale one lists them: encoder, scale, head."""
    parts = ("levels", "global_level", "scale_norm", "head")
    return [value for part in parts for name, value in weights.items() if name.startswith(part)]


def test_scores_are_means_over_patches_and_a_batch_is_its_clouds_one_by_one():
    model, batch = small_model().eval(), patches()
    out = model(batch)
    assert out["scores"].shape == (3,)
    torch.testing.assert_close(out["scores"], out["patch_scores"].mean(dim=1))
    for row in range(3):
        alone = {name: tensor[row : row + 1] for name, tensor in batch.items()}
        torch.testing.assert_close(model(alone)["scores"][0], out["scores"][row])
    torch.testing.assert_close(model(with_tables(batch, model))["scores"], out["scores"])


def test_order_of_points_does_not_matter_with_the_same_groups():
    model, batch = small_model().eval(), patches()
    tabled = with_tables(batch, model)
    order = torch.randperm(64, generator=torch.Generator().manual_seed(3))
    place = order.argsort()
    shuffled = tabled | {name: batch[name][:, :, order] for name in ("points", "colors")}
    shuffled |= {name: place[tabled[name]] for name in ("centers_0", "neighbors_0_0", "neighbors_0_1")}
    torch.testing.assert_close(model(shuffled)["scores"], model(tabled)["scores"])


@pytest.mark.parametrize("options", [{}, {"use_colors": False, "patch_scale": False}])
def test_gradient_reaches_every_parameter(options):
    model = small_model(**options, dropout=0.0)
    model(patches())["scores"].square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        # Batch normalisation takes the mean away, so biases before it have no say.
        if not (name.endswith("bias") and "lins" in name):
            assert parameter.grad.abs().sum() > 0, name


def test_every_scale_is_looked_at():
    model = small_model().eval()
    tabled = with_tables(patches(), model)
    scores = model(tabled)["scores"]
    for name in ("neighbors_0_0", "neighbors_0_1", "neighbors_1_0", "neighbors_1_1"):
        other = tabled | {name: torch.zeros_like(tabled[name])}
        assert not torch.allclose(model(other)["scores"], scores), name


def test_a_patch_of_equal_points_scores_finitely():
    flat = {"points": torch.zeros(2, 2, 64, 3), "colors": torch.zeros(2, 2, 64, 3), "scales": torch.zeros(2, 2)}
    assert torch.isfinite(small_model().eval()(flat)["scores"]).all()


def test_widths_that_do_not_fit_the_radii_are_named():
    with pytest.raises(ValueError, match="a list of layers for each radius"):
        small_model(widths=[[[8]], [[8], [8]]])
