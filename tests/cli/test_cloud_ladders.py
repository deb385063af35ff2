"""From a folder of clouds to a network that was pretrained on the order of levels."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file

from pcqa.cloud import Cloud
from pcqa.io import write_ply
from rankqa_cli.main import cli
from rankqa_datasets.pristine_clouds import pristine_cloud

# The shipped recipes at a size that trains in a moment.
SMALL = """
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
evaluate = 2
[engine]
epochs = 2
accelerator = "cpu"
"""
OBJECTIVE = """
[objective]
within = ["content", "recipe"]
bank = false
[[objective.terms]]
name = "spearman"
[input.views]
size = 32
[engine]
epochs = 1
accelerator = "cpu"
"""


@pytest.fixture(scope="module")
def ladders(tmp_path_factory):
    """Three clouds, two types, three levels."""
    folder = tmp_path_factory.mktemp("ladders")
    (folder / "clouds").mkdir()
    for seed, kind in enumerate(("blob", "torus", "vase")):
        points, colors = pristine_cloud(kind, 200, seed)
        write_ply(Cloud(points, (colors / 255).astype(np.float32)), folder / "clouds" / f"{kind}.ply")
    options = ["--types", "sjtu_color_noise,ls_local_loss", "--levels", "2,4,6"]
    arguments = ["data", "synth", "cloud", "--from", folder / "clouds", "--out", folder / "set", *options]
    result = CliRunner().invoke(cli, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    assert "21 clouds of 3 originals; 0 left out as equal" in result.stderr
    (folder / "small.toml").write_text(SMALL)
    return folder


def test_ladders_pretrain_a_network_that_opinions_then_train(rankqa, clouds, ladders, tmp_path):
    manifest, small = ladders / "set" / "manifest.csv", ("--config", ladders / "small.toml")
    assert rankqa("data", "check", manifest).exit_code == 0

    first = tmp_path / "ladder"
    pretrain = ("--data", manifest, "--recipe", "pretrain-ladder", *small)
    result = rankqa("train", "cloud", *pretrain, "--out", first)
    assert result.exit_code == 0, result.output
    config = json.loads((first / "config.json").read_text())
    assert config["objective"]["within"] == ["content", "recipe"]
    assert config["objective"]["bank"] is None
    log = (first / "log.csv").read_text()
    assert "loss_spearman" in log
    assert "loss_listmle" in log

    # Too short to move anything: what is there is what the ladders taught.
    settings = ("--set", f"model.init={first}", "--set", "optim.lr=1e-9", "--set", "optim.warmup_epochs=0")
    rated = ("--data", clouds / "manifest.csv", "--recipe", "pointnet2-small", *small)
    result = rankqa("train", "cloud", *rated, *settings, "--out", tmp_path / "rated")
    assert result.exit_code == 0, result.output
    before, after = (load_file(run / "model.safetensors") for run in (first, tmp_path / "rated"))
    learnt = [name for name, tensor in before.items() if tensor.dtype.kind == "f" and "running" not in name]
    assert learnt
    for name in learnt:
        np.testing.assert_allclose(after[name], before[name], atol=1e-6)


def test_the_objective_of_ladders_goes_over_any_recipe(rankqa, ladders, tmp_path):
    (tmp_path / "objective.toml").write_text(OBJECTIVE)
    arguments = ("--recipe", "multiview", "--config", tmp_path / "objective.toml", "--set", "engine.batch_size=6")
    result = rankqa("train", "cloud", "--data", ladders / "set" / "manifest.csv", *arguments, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    objective = json.loads((tmp_path / "run" / "config.json").read_text())["objective"]
    assert (objective["bank"], [term["name"] for term in objective["terms"]]) == (None, ["spearman"])
