import warnings

import pytest
import torch

from pcqa.models.graph_layers import neighbor_rows
from pcqa.models.grouping import group_points, make_groupings
from pcqa.models.pointnet2 import PointNet2, SetAbstraction
from rankqa_datasets.errors import InputError

SMALL = {
    "counts": [16, 8],
    "radii": [0.4, 0.8],
    "neighbors": [8, 8],
    "widths": [[8, 16], [16, 24], [24, 32]],
    "head": [16],
}


def patches(batch: int = 3, count: int = 2, size: int = 64, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(batch, count, size, 3, generator=generator)
    return {
        "points": points / points.norm(dim=-1, keepdim=True).amax(dim=2, keepdim=True),
        "colors": torch.rand(batch, count, size, 3, generator=generator),
        "scales": torch.rand(batch, count, generator=generator) + 0.1,
    }


def small_model(**options) -> PointNet2:
    torch.manual_seed(0)
    return PointNet2(**(SMALL | options))


def with_tables(batch: dict[str, torch.Tensor], model: PointNet2) -> dict[str, torch.Tensor]:
    shape = batch["points"].shape[:2]
    tables = group_points(batch["points"].flatten(0, 1), model.groupings)
    return batch | {name: table.unflatten(0, shape) for name, table in tables.items()}


def test_published_widths_have_the_published_number_of_parameters():
    model = PointNet2(use_colors=False, patch_scale=False)
    count = sum(parameter.numel() for parameter in model.parameters())
    # Counted by hand: two levels, the global level and the head, each layer with weight, bias, and two for its norm.
    pairs = [(3, 64), (64, 64), (64, 128), (131, 128), (128, 128), (128, 256)]
    pairs += [(259, 256), (256, 512), (512, 1024), (1024, 512), (512, 256)]
    assert count == sum(i * o + 3 * o for i, o in pairs) + 256 + 1
    assert count == 1_465_665


def test_scores_are_means_over_patches():
    model, batch = small_model().eval(), patches()
    out = model(batch)
    assert out["scores"].shape == (3,)
    assert out["patch_scores"].shape == (3, 2)
    torch.testing.assert_close(out["scores"], out["patch_scores"].mean(dim=1))
    alone = {name: tensor[:, :1] for name, tensor in batch.items()}
    torch.testing.assert_close(model(alone)["scores"], out["patch_scores"][:, 0])


def test_level_equals_pygs_layer_on_edge_lists():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.script")
        from torch_geometric.nn import PointNetConv
    torch.manual_seed(1)
    level = SetAbstraction(8, [8, 16], 0.5)
    pyg = PointNetConv(level.conv.local_nn, add_self_loops=False)  # Draws the weights anew.
    torch.nn.init.normal_(level.conv.local_nn.norms[-1].module.weight)  # negative ones, too
    points, features = torch.randn(3, 40, 3), torch.randn(3, 40, 5, requires_grad=True)
    centers, neighbors = torch.randint(40, (3, 10)), torch.randint(40, (3, 10, 7))

    center_points, pooled = level(points, features, centers, neighbors)

    sources = neighbor_rows(neighbors, 40)
    edges = torch.stack([sources.flatten(), torch.arange(30).repeat_interleave(7)])
    ends = (points.flatten(0, 1) / 0.5, center_points.flatten(0, 1) / 0.5)
    by_edges = pyg((features.flatten(0, 1), None), ends, edges).view(3, 10, 16)
    torch.testing.assert_close(pooled, by_edges, atol=1e-5, rtol=1e-5)
    wanted = [features, *level.parameters()]
    ours = torch.autograd.grad(pooled.square().sum(), wanted, retain_graph=True)
    theirs = torch.autograd.grad(by_edges.square().sum(), wanted)
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-4)


def test_half_precision_keeps_differences_of_place():
    torch.manual_seed(0)
    level = SetAbstraction(3, [16, 16], 0.02).eval()
    cloud = torch.randn(2, 30, 3)
    points = torch.cat([cloud, cloud + 0.001 * torch.randn(2, 30, 3)], dim=1)
    centers = torch.arange(30).expand(2, 30)
    neighbors = torch.stack([centers, centers + 30], dim=2)
    wanted = level(points, points[..., :0], centers, neighbors)[1]
    with torch.autocast("cpu", torch.bfloat16):
        found = level(points, points[..., :0], centers, neighbors)[1]
    assert (found - wanted).norm() < 0.01 * wanted.norm()


def test_precomputed_tables_give_the_same_scores():
    model, batch = small_model().eval(), patches()
    torch.testing.assert_close(model(with_tables(batch, model))["scores"], model(batch)["scores"])


def test_order_of_points_does_not_matter_with_the_same_groups():
    model, batch = small_model().eval(), patches()
    tabled = with_tables(batch, model)
    order = torch.randperm(64, generator=torch.Generator().manual_seed(3))
    place = order.argsort()  # old index -> new index
    shuffled = tabled | {
        "points": batch["points"][:, :, order],
        "colors": batch["colors"][:, :, order],
        "centers_0": place[tabled["centers_0"]],
        "neighbors_0_0": place[tabled["neighbors_0_0"]].flip(-1),
    }
    torch.testing.assert_close(model(shuffled)["scores"], model(tabled)["scores"])


def test_order_of_points_does_not_matter_where_balls_hold_everything_and_the_start_stays():
    model = small_model(neighbors=[64, 16]).eval()
    batch = patches()
    order = torch.cat([torch.zeros(1, dtype=torch.long), 1 + torch.randperm(63)])
    shuffled = batch | {name: batch[name][:, :, order] for name in ("points", "colors")}
    torch.testing.assert_close(model(shuffled)["scores"], model(batch)["scores"])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_colors": False},
        {"patch_scale": False},
        {"use_colors": False, "patch_scale": False},
    ],
)
def test_gradient_reaches_every_parameter(options):
    model = small_model(**options, dropout=0.0)
    model(patches())["scores"].square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        # Batch normalisation takes the mean away, so biases before it have no say: rounding alone is left there.
        if not (name.endswith("bias") and "lins" in name):
            assert parameter.grad.abs().sum() > 0, name


def test_evaluation_repeats_exactly():
    model, batch = small_model().eval(), patches()
    assert torch.equal(model(batch)["scores"], model(batch)["scores"])


def test_colors_and_scales_are_read_where_asked():
    batch = patches()
    other_colors = batch | {"colors": batch["colors"] ** 2}
    lighter = batch | {"colors": batch["colors"] + 0.1}
    other_scales = batch | {"scales": 2 * batch["scales"]}
    full, plain = small_model().eval(), small_model(use_colors=False, patch_scale=False).eval()
    assert not torch.allclose(full(batch)["scores"], full(other_colors)["scores"])
    assert not torch.allclose(full(batch)["scores"], full(other_scales)["scores"])
    torch.testing.assert_close(full(batch)["scores"], full(lighter)["scores"], atol=1e-5, rtol=1e-5)
    assert torch.equal(plain(batch)["scores"], plain({"points": batch["points"]})["scores"])


def test_a_patch_of_equal_points_scores_finitely():
    flat = {"points": torch.zeros(2, 2, 64, 3), "colors": torch.zeros(2, 2, 64, 3), "scales": torch.zeros(2, 2)}
    assert torch.isfinite(small_model().eval()(flat)["scores"]).all()


def test_bad_batches_and_options_are_named():
    model = small_model()
    with pytest.raises(ValueError, match="needs points, colors, scales in the batch, got points"):
        model({"points": patches()["points"]})
    with pytest.raises(ValueError, match=r"points must be \(B, K, P, 3\), got \(2, 64, 3\)"):
        model({name: tensor[0] for name, tensor in patches().items()})
    with pytest.raises(ValueError, match="widths needs 2 levels and the global one, got 2 lists"):
        small_model(widths=[[8], [8]])
    with pytest.raises(InputError, match="one value a level each, got 1, 2 and 2"):
        small_model(counts=[16])
    with pytest.raises(InputError, match="level 0 needs as many neighbors as radii, got 1 and 2"):
        make_groupings(radii=[[0.2, 0.4], 0.8])
    with pytest.raises(InputError, match="level 0 takes 16 centres from 8 points"):
        model(patches(size=8))


def test_groups_lie_within_their_radius():
    points = patches()["points"].flatten(0, 1)
    groupings = make_groupings(counts=[16, 8], radii=[0.3, 0.6], neighbors=[8, 8])
    tables = group_points(points, groupings)
    rows = torch.arange(6)[:, None]
    centers = points[rows, tables["centers_0"]]
    reach = (points[rows[..., None], tables["neighbors_0_0"]] - centers[:, :, None]).norm(dim=-1)
    assert reach.max() <= 0.3
    assert tables["centers_1"].max() < 16
    reach = centers[rows[..., None], tables["neighbors_1_0"]] - centers[rows, tables["centers_1"]][:, :, None]
    assert reach.norm(dim=-1).max() <= 0.6
