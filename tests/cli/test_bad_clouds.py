"""Clouds that cannot be trained on end in one line; those that can, train."""

import csv
import re
import shutil

import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.io.ply import read_ply, write_ply

VIEWS = """
[model]
name = "multiview"
[input.views]
size = 32
[objective]
[[objective.terms]]
name = "mse"
[engine]
epochs = 1
batch_size = 8
accelerator = "cpu"
"""


@pytest.fixture
def copy(clouds, tmp_path):
    """The clouds of the session in a folder that may be spoiled, with a recipe of patches and one of views."""
    shutil.copytree(clouds, tmp_path / "clouds")
    (tmp_path / "clouds" / "patches.toml").write_text((clouds / "recipe.toml").read_text())
    (tmp_path / "clouds" / "views.toml").write_text(VIEWS)
    return tmp_path / "clouds"


def command(folder, recipe, *options):
    data = ("--data", folder / "manifest.csv", "--recipe", folder / f"{recipe}.toml")
    return ("train", "cloud", *data, "--epochs", 1, "--out", folder / "run", *options)


def test_a_cloud_smaller_than_a_patch(fails, copy):
    write_ply(Cloud(read_ply(copy / "3_1.ply").points[:63]), copy / "3_1.ply")
    line = fails(1, *command(copy, "patches"))
    assert "3_1.ply has 63 points, a patch needs 64: lower input.patches.size" in line


def test_fewer_points_than_patches(fails, copy):
    line = fails(1, *command(copy, "patches", "--set", "input.patches.saved=301"))
    assert "at least as many points as patches (301)" in line
    assert ".ply" in line


@pytest.mark.parametrize("recipe", ["patches", "views"])
def test_a_cloud_of_one_distinct_point(fails, copy, recipe):
    write_ply(Cloud(np.ones((300, 3), np.float32), np.zeros((300, 3), np.float32)), copy / "3_1.ply")
    line = fails(1, *command(copy, recipe))
    assert "3_1.ply" in line
    words = {"patches": "with extent .* 300 points that are all equal", "views": "two different points, but all 300"}
    assert re.search(words[recipe], line)


@pytest.mark.parametrize("recipe", ["patches", "views"])
def test_clouds_without_colors_train_beside_others(rankqa, copy, recipe):
    for name in ("0_1.ply", "3_1.ply"):
        write_ply(Cloud(read_ply(copy / name).points), copy / name)
    result = rankqa(*command(copy, recipe))
    assert result.exit_code == 0, result.output
    with (copy / "run" / "predictions.csv").open() as file:
        assert all(np.isfinite(float(row["score"])) for row in csv.DictReader(file))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda lines: [*lines, "9_9.ply,train"], "'9_9.ply' is not in the manifest"),
        (lambda lines: lines[:-1], "'4_2.ply'"),
        (lambda lines: [*lines[:-1], lines[-1].replace("train", "trian")], "trian"),
    ],
)
def test_a_fold_that_is_not_of_the_manifest(fails, copy, spoil, words):
    lines = ["path,split", *(f"{c}_{n}.ply,{'test' if c == 0 else 'train'}" for c in range(5) for n in range(3))]
    (copy / "fold.csv").write_text("\n".join(spoil(lines)) + "\n")
    line = fails(1, *command(copy, "patches", "--split", copy / "fold.csv"))
    assert "fold.csv" in line
    assert words in line
    assert not (copy / "run").exists()


def test_more_types_than_a_model_tells_apart(fails, copy):
    manifest = copy / "manifest.csv"
    with manifest.open() as file:
        rows = list(csv.DictReader(file))
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "type"])
        writer.writeheader()
        writer.writerows({**row, "type": f"type{place % 3}"} for place, row in enumerate(rows))
    data = ("--data", manifest, "--recipe", "pqa-net-types", "--epochs", 1, "--out", copy / "run")
    small = ("--set", "input.views.size=171", "--set", "engine.batch_size=4", "--set", "engine.accelerator=cpu")
    line = fails(2, "train", "cloud", *data, *small)
    assert "--set data.classes=COLUMN" in line
    line = fails(2, "train", "cloud", *data, *small, "--set", "data.classes=typ")
    assert "data.classes: no column 'typ'" in line
    line = fails(2, "train", "cloud", *data, *small, "--set", "data.classes=type", "--set", "model.options.types=2")
    assert "3 classes (type0, type1, type2), but the model's type_logits tell 2" in line
