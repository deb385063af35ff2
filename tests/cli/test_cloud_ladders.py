"""From a folder of clouds to a network that was pretrained on the order of levels."""

import json

import numpy as np

from pcqa.cloud import Cloud
from pcqa.io import write_ply
from rankqa_datasets.pristine_clouds import pristine_cloud

RECIPE = """
[model]
name = "pointnet2"
[model.options]
counts = [16, 4]
radii = [0.4, 0.8]
neighbors = [8, 4]
widths = [[8, 8], [16, 16], [32]]
head = [8]
[input.patches]
size = 64
saved = 2
train = 1
evaluate = 1
[objective]
within = ["content", "recipe"]
[[objective.terms]]
name = "spearman"
[engine]
epochs = 2
batch_size = 8
accelerator = "cpu"
"""


def test_ladders_pretrain(rankqa, tmp_path):
    (tmp_path / "clouds").mkdir()
    for seed, kind in enumerate(("blob", "vase")):
        points, colors = pristine_cloud(kind, 200, seed)
        write_ply(Cloud(points, (colors / 255).astype(np.float32)), tmp_path / "clouds" / f"{kind}.ply")
    options = ["--types", "sjtu_color_noise,ls_local_loss", "--levels", "2,4,6"]
    result = rankqa("data", "synth", "cloud", "--from", tmp_path / "clouds", "--out", tmp_path / "set", *options)
    assert result.exit_code == 0, result.output
    assert "14 clouds of 2 originals; 0 left out as equal" in result.stderr
    manifest = tmp_path / "set" / "manifest.csv"
    assert rankqa("data", "check", manifest).exit_code == 0

    (tmp_path / "recipe.toml").write_text(RECIPE)
    out = tmp_path / "run"
    result = rankqa("train", "cloud", "--data", manifest, "--recipe", tmp_path / "recipe.toml", "--out", out)
    assert result.exit_code == 0, result.output
    assert json.loads((out / "config.json").read_text())["objective"]["within"] == ["content", "recipe"]
