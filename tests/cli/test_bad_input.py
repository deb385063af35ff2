"""Each kind of bad input ends in one line with the right exit code, and what was there stays."""

import json
import shutil

import pytest
from click.testing import CliRunner

from rankqa_cli.main import cli


@pytest.fixture
def copy(images, tmp_path):
    """A copy of the images whose manifest a test may spoil."""
    shutil.copytree(images, tmp_path / "images")
    return tmp_path / "images"


def spoil(folder, change):
    """Apply `change` to the manifest's lines."""
    manifest = folder / "manifest.csv"
    manifest.write_text("\n".join(change(manifest.read_text().splitlines())) + "\n")
    return ["train", "image", "--data", manifest, "--recipe", folder / "recipe.toml", "--out", folder / "run"]


def replace_cell(row, column, text):
    def change(lines):
        cells = lines[row].split(",")
        cells[lines[0].split(",").index(column)] = text
        lines[row] = ",".join(cells)
        return lines

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replace_cell(3, "path", "absent.png"), "absent.png"),
        (replace_cell(3, "target", "nan"), "'nan'"),
        (replace_cell(3, "target", "good"), "'good'"),
        (lambda lines: lines[:2], "at least 2"),
        (lambda lines: [lines[0].replace("content", "contnet"), *lines[1:]], "content"),
        (lambda lines: [lines[0].replace("target", "score"), *lines[1:]], "target"),
        (replace_cell(3, "path", "0_0.png"), "0_0.png"),
        (replace_cell(3, "split", "train"), "c0"),
        (replace_cell(3, "path", "../secret.png"), "../secret.png"),
        (replace_cell(3, "path", "/etc/hostname"), "/etc/hostname"),
        (lambda lines: [], "empty"),
    ],
    ids=[
        "missing file",
        "NaN target",
        "target as text",
        "one row",
        "misspelt column",
        "no target column",
        "duplicate id",
        "content in two splits",
        "path leaving the root",
        "absolute path",
        "empty manifest",
    ],
)
def test_manifests(fails, copy, change, message):
    line = fails(1, *spoil(copy, change))
    assert "manifest.csv" in line
    assert message in line
    assert not (copy / "run").exists()


def test_missing_manifest(fails, copy):
    assert "no.csv" in fails(1, "train", "image", "--data", copy / "no.csv", "--recipe", copy / "recipe.toml")


def test_check_lists_every_problem_with_its_row(rankqa, copy):
    spoil(copy, lambda lines: replace_cell(5, "target", "x")(replace_cell(3, "target", "nan")(lines)))
    result = rankqa("data", "check", copy / "manifest.csv")
    assert result.exit_code == 1
    assert [line for line in result.stdout.splitlines() if "4" in line and "nan" in line]
    assert [line for line in result.stdout.splitlines() if "6" in line and "'x'" in line]


@pytest.mark.parametrize("kind", ["truncated", "garbage", "empty"])
def test_damaged_images(fails, copy, kind):
    from PIL import Image

    Image.open(copy / "1_1.png").save(copy / "1_1.jpg", quality=95)
    whole = (copy / "1_1.jpg").read_bytes()
    content = {"truncated": whole[: len(whole) // 2], "garbage": b"no image at all", "empty": b""}[kind]
    (copy / "1_1.jpg").write_bytes(content)
    line = fails(1, *spoil(copy, lambda lines: [text.replace("1_1.png", "1_1.jpg") for text in lines]))
    assert "1_1.jpg" in line


def test_truncated_ply(fails, clouds, tmp_path):
    shutil.copytree(clouds, tmp_path / "clouds")
    damaged = tmp_path / "clouds" / "2_1.ply"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    command = ["train", "cloud", "--data", tmp_path / "clouds/manifest.csv", "--recipe", clouds / "recipe.toml"]
    assert "2_1.ply" in fails(1, *command, "--out", tmp_path / "run")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("optim.lrr=1e-3", "did you mean 'lr'"),
        ("optim.lr=fast", "optim.lr"),
        ("optim.lr", "key.sub=value"),
        ('objective.terms=[{name="spaerman"}]', "spearman"),
        ('objective.terms=[{name="mse", options={scael=1}}]', "scale"),
        ("model.name=compact", "compact-cnn"),
        ("model.options.width=3", "no option"),
        ("input.crops=3", "crop"),
    ],
)
def test_settings(fails, copy, setting, message):
    line = fails(2, *spoil(copy, lambda lines: lines), "--set", setting)
    assert message in line
    assert not (copy / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "expected a modality"),
        (["train", "image", "--data", "m.csv"], "expected --recipe"),
        (["train", "image", "--data", "m.csv", "--recipe", "compact-cn"], "did you mean 'compact-cnn'"),
        (["train", "image", "--recipe", "compact-cnn"], "missing key 'data"),
        (["train", "--resume", "x", "--seed", "1"], "only --cache goes with it"),
        (["data", "split", "m.csv", "--folds", "3", "--test", "0.2", "--out", "x"], "--test excludes --folds"),
    ],
)
def test_usage(fails, arguments, message):
    assert message in fails(2, *arguments)


@pytest.mark.parametrize("command", ["evaluate", "score"])
def test_not_a_run_folder(fails, images, tmp_path, command):
    arguments = ["--data", images / "manifest.csv"] if command == "evaluate" else [images]
    assert "not a run folder" in fails(1, command, tmp_path, *arguments)


def test_weights_of_another_model(fails, images, image_run, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(image_run, other, ignore=shutil.ignore_patterns("cache"))
    config = json.loads((other / "config.json").read_text())
    config["model"]["name"] = "cnniqa"
    (other / "config.json").write_text(json.dumps(config))
    assert "another model" in fails(1, "score", other, images / "0_0.png")


def test_unfinished_and_damaged_runs(fails, images, image_run, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(image_run, other, ignore=shutil.ignore_patterns("cache"))
    weights = (other / "model.safetensors").read_bytes()
    (other / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    assert "model.safetensors is damaged" in fails(1, "score", other, images / "0_0.png")
    (other / "model.safetensors").unlink()
    assert "--resume" in fails(1, "score", other, images / "0_0.png")
    (other / "config.json").write_text("{")
    assert "config.json is damaged" in fails(1, "score", other, images / "0_0.png")


def test_score_goes_on_after_a_bad_file(rankqa, copy, image_run):
    (copy / "0_1.png").write_bytes(b"broken")
    result = rankqa("score", image_run, copy / "0_0.png", copy / "0_1.png", copy / "absent.png", copy / "0_2.png")
    assert result.exit_code == 1
    assert [line.split(",")[0].rsplit("/", 1)[-1] for line in result.stdout.splitlines()] == [
        "path",
        "0_0.png",
        "0_2.png",
    ]
    assert "0_1.png" in result.stderr
    assert "absent.png" in result.stderr
    assert result.stderr.splitlines()[-1] == "Error: 2 of 4 files could not be scored"


def test_image_smaller_than_a_crop(fails, copy):
    line = fails(1, *spoil(copy, lambda lines: lines), "--set", "input.crop=64")
    assert "64" in line
    assert "48" in line or "56" in line


def test_a_finished_run_is_not_overwritten(fails, images, image_run):
    before = (image_run / "result.json").read_bytes()
    command = ["train", "image", "--data", images / "manifest.csv", "--recipe", images / "recipe.toml"]
    assert "not empty" in fails(2, *command, "--out", image_run)
    assert (image_run / "result.json").read_bytes() == before


def test_unknown_column_to_group_by(fails, images, image_run):
    line = fails(2, "evaluate", image_run, "--data", images / "manifest.csv", "--by", "camra")
    assert "did you mean 'camera'" in line


def test_part_that_is_not_there(fails, images, image_run):
    assert "has 0 stimuli" in fails(1, "evaluate", image_run, "--data", images / "manifest.csv", "--part", "validation")


def test_unwritable_run_folder(fails, copy, tmp_path):
    (tmp_path / "file").write_text("in the way")
    command = spoil(copy, lambda lines: lines)[:-2]
    assert "cannot make the run folder" in fails(1, *command, "--out", tmp_path / "file" / "run")


def test_demo_of_another_seed_is_not_passed_off_as_this_one(fails, tmp_path, monkeypatch):
    from rankqa_cli import demo

    monkeypatch.setattr(demo, "DEMO_SETS", {"image": f"{__name__}:fake_demo_set"})
    recipe = [
        "train",
        "image",
        "--data",
        tmp_path / "demo/data/image/manifest.csv",
        "--recipe",
        "demo-image",
        "--dry-run",
    ]
    (tmp_path / "demo" / "image").mkdir(parents=True)
    config = CliRunner().invoke(cli, [str(part) for part in recipe]).stdout
    (tmp_path / "demo" / "image" / "config.json").write_text(config)
    assert "another seed" in fails(2, "demo", "--out", tmp_path / "demo", "--seed", 1)


def fake_demo_set(folder):
    return folder / "manifest.csv"
