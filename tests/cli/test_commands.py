import csv
import io
import json
import signal
import subprocess
import sys

import click
import pytest
from scipy import stats

from rankqa_cli.main import cli

TRAIN_IMAGE = "train image --data {0}/manifest.csv --recipe {0}/recipe.toml"


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_help_imports_neither_torch_nor_anything_heavy():
    program = (
        "import sys\nfrom rankqa_cli.main import cli\n"
        "try:\n    cli(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'numpy', 'scipy', 'timm', 'open3d', 'pydantic', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "score" in done.stdout


@pytest.mark.parametrize(
    "command",
    ["demo", "train", "evaluate", "score", "data", "data check", "data split", "list", "view", "bench", "bench losses"],
)
def test_every_command_has_help(rankqa, command):
    result = rankqa(*command.split(), "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_calibrated_scores_are_on_the_scale_of_the_targets_in_the_same_order(rankqa, fails, images, image_run):
    folder = images / "stimuli" if (images / "stimuli").is_dir() else images
    plain, calibrated = (
        [float(row["score"]) for row in table(rankqa("score", image_run, folder, *flags).stdout)]
        for flags in ([], ["--calibrated"])
    )
    assert stats.spearmanr(plain, calibrated).statistic == pytest.approx(1)
    with (images / "manifest.csv").open() as lines:
        targets = [float(row["target"]) for row in csv.DictReader(lines)]
    assert min(targets) - 2 < min(calibrated) <= max(calibrated) < max(targets) + 2
    message = fails(2, "score", image_run, folder, "--reference", images / "manifest.csv")
    assert "judges without a reference: leave --reference out" in message


def test_bench_prints_and_writes_figures(rankqa, fails, tmp_path):
    sizes = ["--batch", 16, "--bank", 40, "--repeats", 1]
    result = rankqa("bench", "losses", "spearman", "asna", *sizes, "--json", tmp_path / "figures.json")
    assert result.exit_code == 0, result.output
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert [figure["case"] for figure in figures] == [line.split()[0] for line in result.output.splitlines()[2:]]
    assert [figure["case"] for figure in figures][-2:] == ["spearman/nearest", "asna"]
    assert all(figure["bank"] == 40 and figure["ratio"] > 0 for figure in figures)
    skipped = rankqa("bench", "losses", "asna", "--batch", 3, "--bank", 0).output
    assert "not timed, takes batches of 16 rows only: asna" in skipped
    assert "did you mean 'plcc'?" in fails(2, "bench", "losses", "plc")


def test_presets_are_listed_and_resolve(rankqa, fails, images):
    names = [line.split()[0] for line in rankqa("list", "presets").output.splitlines()[1:]]
    assert {"seed000_logistic", "seed000_normal", "gmc_iqa"} <= set(names)
    arguments = [*TRAIN_IMAGE.format(images).split(), "--dry-run", "--set"]
    result = rankqa(*arguments, "objective.preset=gmc_iqa")
    objective = json.loads(result.stdout)["objective"]
    assert [(term["name"], term["bank"]) for term in objective["terms"]] == [("gcc", True)]
    assert objective["bank"]["kind"] == "fifo"
    assert objective["bank"]["capacity"] == 800
    assert "unknown preset 'gmc': did you mean 'gmc_iqa'?" in fails(2, *arguments, "objective.preset=gmc")


def test_a_preset_trains_and_one_that_needs_more_of_the_model_says_what(rankqa, fails, images, tmp_path):
    arguments = TRAIN_IMAGE.format(images).split()
    result = rankqa(*arguments, "--set", "objective.preset=seed000_logistic_batch", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert "loss_spearman" in (tmp_path / "run" / "log.csv").read_text()
    message = fails(2, *arguments, "--set", "objective.preset=nima", "--out", tmp_path / "no")
    assert "score_distribution is missing: the model must predict" in message


def test_images_from_training_to_scores(rankqa, images, image_run):
    result = rankqa("evaluate", image_run, "--data", images / "manifest.csv", "--json", "--by", "camera")
    assert result.exit_code == 0, result.output
    evaluated = json.loads(result.stdout)
    written = json.loads((image_run / "result.json").read_text())
    assert evaluated["summaries"]["test"]["srocc"] == written["parts"]["test"]["srocc"]
    assert evaluated["summaries"]["psnr"]["srocc"] == pytest.approx(1.0)
    assert set(evaluated["groups"]["camera"]) == {"left", "right"}

    result = rankqa("score", image_run, *sorted(images.glob("0_*.png")))
    assert result.exit_code == 0, result.output
    scores = {row["path"].rsplit("/", 1)[1]: float(row["score"]) for row in table(result.stdout)}
    predicted = {row["id"]: float(row["score"]) for row in table((image_run / "predictions.csv").read_text())}
    assert scores == pytest.approx(predicted, rel=1e-5)

    listed = json.loads(rankqa("score", image_run, images, "--json").stdout)
    assert len(listed) == 30


def test_clouds_from_training_to_scores(rankqa, clouds, tmp_path):
    split = tmp_path / "split.csv"
    assert rankqa("data", "split", clouds / "manifest.csv", "--test", 0.2, "--out", split).exit_code == 0
    out = tmp_path / "run"
    command = ["train", "cloud", "--data", clouds / "manifest.csv", "--recipe", clouds / "recipe.toml"]
    result = rankqa(*command, "--split", split, "--out", out, "--seed", 3)
    assert result.exit_code == 0, result.output
    assert "d1, test" in result.stdout
    predictions = table((out / "predictions.csv").read_text())
    assert len(predictions) == 3
    result = rankqa("score", out, *(clouds / row["id"] for row in predictions))
    assert [float(row["score"]) for row in table(result.stdout)] == pytest.approx(
        [float(row["score"]) for row in predictions], rel=1e-4, abs=1e-5
    )


def test_evaluate_writes_predictions_and_agrees_with_scipy(rankqa, images, image_run, tmp_path):
    out = tmp_path / "all.csv"
    command = ["evaluate", image_run, "--data", images / "manifest.csv", "--part", "all", "--out", out, "--json"]
    summary = json.loads(rankqa(*command).stdout)["summaries"]["all"]
    rows = table(out.read_text())
    assert len(rows) == summary["n"] == 24
    scores, targets = ([float(row[key]) for row in rows] for key in ("score", "target"))
    assert summary["srocc"] == pytest.approx(stats.spearmanr(scores, targets).statistic, abs=1e-12)


def test_another_manifest_is_evaluated_whole(rankqa, images, image_run, tmp_path):
    rows = (images / "manifest.csv").read_text().splitlines()
    other = images / "other.csv"
    other.write_text("\n".join(line.rsplit(",", 1)[0] for line in rows[:11]))
    result = rankqa("evaluate", image_run, "--data", other, "--json", "--no-baseline")
    other.unlink()
    assert json.loads(result.stdout)["summaries"]["all"]["n"] == 10


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("models", "dgcnn"),
        ("losses", "norm_in_norm"),
        ("recipes", "pointnet2-ssg"),
        ("metrics", "d1"),
        ("features", "3d-nss"),
    ],
)
def test_list(rankqa, kind, name):
    result = rankqa("list", kind)
    assert result.exit_code == 0, result.output
    line = next(line for line in result.stdout.splitlines() if line.startswith(name))
    assert len(line.split()) > 2


def test_folds_test_each_content_once(rankqa, images, tmp_path):
    result = rankqa("data", "split", images / "manifest.csv", "--folds", 6, "--out", tmp_path / "folds")
    assert result.exit_code == 0, result.output
    tested = [
        row["path"]
        for f in sorted((tmp_path / "folds").iterdir())
        for row in table(f.read_text())
        if row["split"] == "test"
    ]
    assert len(tested) == len(set(tested)) == 24


def test_a_left_out_value_is_trained_and_judged_without_its_unused_stimuli(rankqa, fails, images, tmp_path):
    manifest, out = images / "manifest.csv", tmp_path / "left"
    result = rankqa("data", "split", manifest, "--leave-out", "camera", "--folds", 3, "--out", out)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == f"{out / 'left-fold-1.csv'}: train 8, validation 0, test 4, unused 12"
    assert sorted(path.name for path in out.iterdir()) == [
        f"{camera}-fold-{fold}.csv" for camera in ("left", "right") for fold in (1, 2, 3)
    ]
    run = tmp_path / "run"
    trained = rankqa(
        "train", "image", "--data", manifest, "--recipe", images / "recipe.toml", "--out", run,
        "--split", out / "right-fold-2.csv", "--epochs", 1, "--set", "engine.selection=validation",
        "--set", "data.validation_share=0.3",
    )  # fmt: skip
    assert trained.exit_code == 0, trained.output
    assert "6 training stimuli of 3 contents, 2 validation, 4 test" in trained.stderr
    parts = {row["path"]: row["split"] for row in table((run / "split.csv").read_text())}
    judged = {row["id"]: row["split"] for row in table((run / "predictions.csv").read_text())}
    assert judged == {name: part for name, part in parts.items() if part in ("validation", "test")}
    summaries = json.loads(rankqa("evaluate", run, "--data", manifest, "--json").stdout)["summaries"]
    assert summaries["test"]["n"] == 4
    command = ["data", "split", manifest, "--out", tmp_path / "other", "--leave-out"]
    assert "contents are left out by --folds" in fails(2, *command, "content")
    assert "no column 'kamera' to group by: did you mean 'camera'?" in fails(2, *command, "kamera")
    assert "--test excludes" in fails(2, *command, "camera", "--test", 0.2)
    assert "exists already" in fails(1, "data", "split", manifest, "--leave-out", "camera", "--folds", 3, "--out", out)
    assert not (tmp_path / "other").exists()


def test_evaluate_shows_full_reference_metrics_beside_a_model_of_clouds(rankqa, clouds, tmp_path):
    manifest, run = clouds / "manifest.csv", tmp_path / "run"
    trained = rankqa("train", "cloud", "--data", manifest, "--recipe", clouds / "recipe.toml", "--out", run)
    assert trained.exit_code == 0, trained.output
    assert list(json.loads((run / "result.json").read_text())["baselines"]) == ["d1"]
    found = json.loads(rankqa("evaluate", run, "--data", manifest, "--part", "all", "--json").stdout)["summaries"]
    assert list(found) == ["all", "d1", "yuv", "pcqm"]
    # The noise falls on one ladder in each content.
    metrics = table(rankqa("metric", "cloud", "--manifest", manifest).stdout)
    for name in ("d1", "yuv", "pcqm"):
        values = [float(row[name]) for row in metrics]
        assert found[name]["srocc"] == pytest.approx(stats.spearmanr(values, [4.0, 3.0, 2.0] * 5).statistic)


def test_check_reports_what_is_there(rankqa, images):
    result = rankqa("data", "check", images / "manifest.csv", "--modality", "image")
    assert result.exit_code == 0, result.output
    assert "24 stimuli of 6 contents, 24 with reference" in result.stdout


def test_dry_run_prints_a_configuration_that_trains(rankqa, images, tmp_path):
    result = rankqa(*TRAIN_IMAGE.format(images).split(), "--set", "optim.lr=3e-3", "--dry-run")
    config = json.loads(result.stdout)
    assert config["optim"]["lr"] == 3e-3
    (tmp_path / "config.json").write_text(result.stdout)
    again = rankqa("train", "image", "--config", tmp_path / "config.json", "--dry-run")
    assert json.loads(again.stdout) == config


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill"])
def test_an_interrupted_command_goes_on_bit_for_bit(images, tmp_path, how):
    command = [sys.executable, "-c", "from rankqa_cli.main import main; main()"]
    arguments = [*TRAIN_IMAGE.format(images).split(), "--epochs", "5", "--cache", str(tmp_path / "cache")]
    subprocess.run([*command, *arguments, "--out", str(tmp_path / "whole")], check=True, capture_output=True)
    cut = tmp_path / "cut"
    process = subprocess.Popen(
        [*command, *arguments, "--out", str(cut)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for line in process.stderr:
        if line.startswith("epoch 2/"):
            process.send_signal(how)
            break
    _, errors = process.communicate(timeout=120)
    if how == signal.SIGINT:
        assert process.returncode == 1
        assert errors.rstrip().splitlines()[-1] == f"Error: interrupted; continue with: rankqa train --resume {cut}"
    assert not (cut / "result.json").exists()
    resume = [*command, "train", "--resume", str(cut), "--cache", str(tmp_path / "cache")]
    subprocess.run(resume, check=True, capture_output=True)
    for name in ("model.safetensors", "predictions.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (cut / name).read_bytes()


def test_help_of_every_command_keeps_its_examples_in_lines(rankqa):
    def texts(group: click.Group, *path: str):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            yield rankqa(*path, name, "--help").output
            if isinstance(command, click.Group):
                yield from texts(command, *path, name)

    for text in texts(cli):
        assert "Usage: " in text
        assert "\\b" not in text
