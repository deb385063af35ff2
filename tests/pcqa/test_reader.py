from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from pcqa.cloud import Cloud
from pcqa.config import CloudRunConfig, PatchInput, ViewInput
from pcqa.io.ply import write_ply
from pcqa.models.grouping import group_points, make_groupings
from pcqa.models.pointnet2 import PointNet2
from pcqa.patch_reader import PatchReader, random_rotations
from pcqa.reader import make_reader
from pcqa.view_reader import ViewReader
from rankqa_datasets.cache import ArrayCache
from rankqa_datasets.errors import InputError

GROUPS = {"counts": [16, 8], "radii": [0.4, 0.8], "neighbors": [8, 8]}
PATCHES = PatchInput(size=64, saved=5, train=2, evaluate=3)


def sphere(num_points: int = 600, seed: int = 0, *, colored: bool = True) -> Cloud:
    generator = np.random.default_rng(seed)
    points = generator.normal(size=(num_points, 3)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    colors = generator.integers(0, 256, (num_points, 3)).astype(np.float32) / 255
    return Cloud(points * np.float32(10), colors if colored else None)


def config(model: str = "pointnet2", **options) -> CloudRunConfig:
    views = model == "multiview"
    return CloudRunConfig.model_validate(
        {
            "data": {"manifest": "m.csv"},
            "model": {"name": model, "options": options},
            "input": {"views": {"size": 32}} if views else {"patches": PATCHES.model_dump()},
            "objective": {"terms": [{"name": "spearman"}]},
            "engine": {"epochs": 1},
        }
    )


@pytest.fixture
def cloud_file(tmp_path: Path) -> Path:
    write_ply(sphere(), tmp_path / "sphere.ply")
    return tmp_path / "sphere.ply"


@pytest.fixture
def cache(tmp_path: Path) -> ArrayCache:
    return ArrayCache(tmp_path / "cache")


def test_patches_have_the_promised_shapes_and_come_from_the_cloud(cloud_file, cache):
    sample = PatchReader(PATCHES, cache)(cloud_file, None)
    assert {name: tuple(tensor.shape) for name, tensor in sample.items()} == {
        "points": (3, 64, 3),
        "colors": (3, 64, 3),
        "scales": (3,),
    }
    assert sample["points"].norm(dim=-1).amax(dim=1).allclose(torch.ones(3), atol=1e-5)
    known = {tuple(row) for row in np.rint(sphere().colors * 255).astype(int).tolist()}
    assert {tuple(row) for row in (sample["colors"][0] * 255).round().int().tolist()} <= known
    assert ((sample["scales"] > 0) & (sample["scales"] <= 1)).all()


def test_evaluation_is_fixed_and_a_second_reader_finds_the_cache(cloud_file, cache):
    first = PatchReader(PATCHES, cache)(cloud_file, None)
    entries = len(list(cache.folder.rglob("*.npy")))
    again = PatchReader(PATCHES, ArrayCache(cache.folder))(cloud_file, None)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert len(list(cache.folder.rglob("*.npy"))) == entries


def test_training_draws_everything_from_the_generator(cloud_file, cache):
    reader = PatchReader(PATCHES, cache)
    draws = [reader(cloud_file, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert draws[0]["points"].shape == (2, 64, 3)
    assert torch.equal(draws[0]["points"], draws[1]["points"])
    assert not torch.equal(draws[0]["points"], draws[2]["points"])


def test_rotation_changes_no_distance(cloud_file, cache):
    everything = replace(PatchReader(PATCHES, cache), options=PATCHES.model_copy(update={"train": 5}))
    turned = everything(cloud_file, torch.Generator().manual_seed(4))
    still = everything.cache.fetch(cloud_file, everything._recipe(), dict)["points"]
    order = torch.randperm(5, generator=torch.Generator().manual_seed(4)).numpy()
    original = torch.from_numpy(still[order])
    assert not torch.allclose(turned["points"], original)
    torch.testing.assert_close(
        torch.cdist(turned["points"], turned["points"]), torch.cdist(original, original), atol=2e-3, rtol=0
    )


@pytest.mark.parametrize("axis", ["none", "x", "y", "z", "any"])
def test_rotations_are_rotations(axis):
    turns = random_rotations(200, axis=axis, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(turns @ turns.transpose(1, 2), torch.eye(3).expand(200, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(turns), torch.ones(200), atol=1e-5, rtol=0)
    if axis in ("x", "y", "z"):
        still = torch.eye(3)["xyz".index(axis)]
        torch.testing.assert_close(turns @ still, still.expand(200, 3))
    if axis == "any":
        # A uniform rotation takes a fixed vector to a uniform point of the sphere, whose coordinates are uniform.
        assert kstest(turns[:, 0, 2].numpy(), "uniform", args=(-1, 2)).pvalue > 0.01


def test_neighbors_for_pointnet2_are_those_the_model_would_find(cloud_file, cache):
    reader = make_reader(config(**GROUPS), cache)
    batch = {name: tensor[None] for name, tensor in reader(cloud_file, torch.Generator().manual_seed(0)).items()}
    assert batch["neighbors_1_0"].shape == (1, 2, 8, 8)
    assert batch["neighbors_1_0"].dtype == torch.int64
    torch.manual_seed(0)
    model = PointNet2(**GROUPS, widths=[[8], [8], [8]], head=[8]).eval()
    alone = {name: batch[name] for name in ("points", "colors", "scales")}
    torch.testing.assert_close(model(batch)["scores"], model(alone)["scores"], atol=1e-5, rtol=1e-5)


def test_models_of_patches_and_views_get_both_with_equal_draws(cloud_file, cache):
    own = {"model": {"name": "my.package:Net"}, "input": {"patches": PATCHES.model_dump(), "views": {"size": 32}}}
    reader = make_reader(CloudRunConfig.model_validate(config().model_dump() | own), cache)
    patches, views = PatchReader(PATCHES, cache), ViewReader(ViewInput(size=32), cache)
    fixed = reader(cloud_file, None)
    alone = patches(cloud_file, None) | views(cloud_file, None)
    assert fixed.keys() == alone.keys() == {"points", "colors", "scales", "views", "masks"}
    assert all(torch.equal(fixed[name], alone[name]) for name in alone)
    drawn = [reader(cloud_file, torch.Generator().manual_seed(seed)) for seed in (1, 1)]
    assert all(torch.equal(drawn[0][name], drawn[1][name]) for name in alone)
    assert not torch.equal(drawn[0]["views"], fixed["views"])


def test_multi_scale_groups_are_those_the_model_would_find(cloud_file, cache):
    groups = {"counts": [16, 8], "radii": [[0.2, 0.4], [0.5, 0.8]], "neighbors": [[4, 8], [8, 4]]}
    batch = make_reader(config("pointnet2-msg", **groups), cache)(cloud_file, None)
    assert {name: tuple(batch[name].shape) for name in batch if name.startswith("neighbors")} == {
        "neighbors_0_0": (3, 16, 4),
        "neighbors_0_1": (3, 16, 8),
        "neighbors_1_0": (3, 8, 8),
        "neighbors_1_1": (3, 8, 4),
    }
    again = group_points(batch["points"], make_groupings(**groups))
    assert all(torch.equal(batch[name], table) for name, table in again.items())


def test_only_pointnet2_gets_neighbors(cloud_file, cache):
    assert set(make_reader(config("dgcnn"), cache)(cloud_file, None)) == {"points", "colors", "scales"}


def test_clouds_without_colors_read_as_grey(tmp_path, cache):
    write_ply(sphere(colored=False), tmp_path / "grey.ply")
    colors = PatchReader(PATCHES, cache)(tmp_path / "grey.ply", None)["colors"]
    torch.testing.assert_close(colors, torch.full_like(colors, 0.5), atol=0.6 / 255, rtol=0)


def test_a_cloud_smaller_than_a_patch_is_named_with_both_numbers(tmp_path, cache):
    write_ply(sphere(20), tmp_path / "tiny.ply")
    with pytest.raises(InputError, match=r"tiny.ply has 20 points, a patch needs 64: lower input.patches.size"):
        PatchReader(PATCHES, cache)(tmp_path / "tiny.ply", None)


def test_views_show_the_cloud_on_its_background(cloud_file, cache):
    sample = make_reader(config("multiview"), cache)(cloud_file, None)
    assert sample["views"].shape == (6, 3, 32, 32)
    assert sample["masks"].shape == (6, 32, 32)
    assert set(sample["masks"].unique().tolist()) == {0.0, 1.0}
    outside = sample["masks"][:, None].expand_as(sample["views"]) == 0
    assert (sample["views"][outside] == 255).all()
    assert 0.3 < sample["masks"].mean() < 0.9


def test_view_lists_by_name_are_cached_apart(cloud_file, cache):
    counts = {
        name: len(ViewReader(ViewInput(views=name, size=32), cache)(cloud_file, None)["views"])
        for name in ("axis", "orbit", "icosphere", "axis")
    }
    assert counts == {"axis": 6, "orbit": 8, "icosphere": 42}


def test_a_cloud_without_extent_is_named(tmp_path, cache):
    write_ply(Cloud(np.ones((5, 3), np.float32), np.ones((5, 3), np.float32)), tmp_path / "dot.ply")
    with pytest.raises(InputError, match=r"dot.ply: expected at least two different points"):
        ViewReader(ViewInput(size=32), cache)(tmp_path / "dot.ply", None)


def test_flips_keep_view_and_mask_together_and_repeat_with_the_seed(cloud_file, cache):
    reader = ViewReader(ViewInput(size=32), cache)
    plain = reader(cloud_file, None)
    flipped = reader(cloud_file, torch.Generator().manual_seed(1))
    assert not torch.equal(plain["views"], flipped["views"])
    assert torch.equal(flipped["views"], reader(cloud_file, torch.Generator().manual_seed(1))["views"])
    outside = flipped["masks"][:, None].expand_as(flipped["views"]) == 0
    assert (flipped["views"][outside] == 255).all()
    torch.testing.assert_close(flipped["views"].sum(dim=(2, 3)), plain["views"].sum(dim=(2, 3)))


def test_windows_of_views_are_drawn_in_training_and_fixed_in_evaluation(cloud_file, cache):
    whole = ViewReader(ViewInput(size=48), cache)(cloud_file, None)
    reader = ViewReader(ViewInput(size=48, crop=16, flip=False), cache)
    middle = reader(cloud_file, None)
    assert middle["views"].shape == (6, 3, 16, 16)
    assert middle["masks"].shape == (6, 16, 16)
    assert torch.equal(middle["views"], whole["views"][:, :, 16:32, 16:32])
    drawn = [reader(cloud_file, torch.Generator().manual_seed(seed))["views"] for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_views_of_a_colorless_cloud_show_its_normals(tmp_path, cache):
    write_ply(sphere(4000, colored=False), tmp_path / "plain.ply")
    sample = ViewReader(ViewInput(size=32), cache)(tmp_path / "plain.ply", None)
    middle = sample["views"][:, :, 16, 16] / 255
    # The middle of each axis view of a sphere faces the camera: one component near 1, the others near 0.
    assert (middle.amax(dim=1) > 0.85).all()
    assert (middle.sum(dim=1) < 1.6).all()
