import csv
import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy import stats

from rankqa_datasets.errors import InputError
from shared_engine import checkpoint, fit
from shared_engine.config import RunConfig
from shared_engine.config_files import merge, resolve_config
from shared_engine.names import UsageProblem
from shared_engine.run_folder import RunFolder
from shared_engine.train import load_run, train

FULL_STATE = {
    "optim": {"ema_decay": 0.9, "clip_norm": 1.0},
    "engine": {"accumulate": 2, "selection": "validation", "report_test_max": True},
}


def run(tiny, tables, path, *changes, resume=False, stop_after=None):
    """Train; `stop_after` raises KeyboardInterrupt once that epoch has been reported."""

    def report(line):
        if stop_after is not None and line.startswith(f"epoch {stop_after}/"):
            raise KeyboardInterrupt

    config = resolve_config(RunConfig, [merge([tables, *changes])])
    return train(config, tiny, path, resume=resume, report=report)


def read_predictions(path):
    with (path / "predictions.csv").open() as file:
        return list(csv.DictReader(file))


def without_seconds(path):
    with (path / "log.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def test_a_run_learns_and_its_folder_is_complete(tiny, tables, tmp_path):
    result = run(tiny, tables, tmp_path / "run", {"engine": {"epochs": 30}})
    assert result["parts"]["test"]["srocc"] > 0.8
    assert result["parts"]["test"]["contents"] == 4
    assert result["baselines"]["sum"]["n"] == 12
    names = {
        "config.json",
        "environment.json",
        "split.csv",
        "log.csv",
        "model.safetensors",
        "predictions.csv",
        "result.json",
    }
    assert names <= {f.name for f in (tmp_path / "run").iterdir()}
    assert json.loads((tmp_path / "run" / "result.json").read_text()) == json.loads(json.dumps(result))
    first, *_, last = without_seconds(tmp_path / "run")
    assert float(last["train_srocc"]) > 0.8 > float(first["train_srocc"])
    assert all(float(last[name]) > 0 for name in ("gradient_norm", "score_std"))
    # Every row comes once an epoch, so that the mean age is about half an epoch's steps.
    assert 1 <= float(last["bank_age"]) <= 20
    rows = read_predictions(tmp_path / "run")
    assert {row["split"] for row in rows} == {"test"}
    scores, targets = ([float(row[key]) for row in rows] for key in ("score", "target"))
    assert stats.spearmanr(scores, targets).statistic == pytest.approx(result["parts"]["test"]["srocc"], abs=1e-12)


def test_predictions_are_those_of_the_saved_weights(tiny, tables, tmp_path):
    run(tiny, tables, tmp_path / "run", FULL_STATE)
    config = resolve_config(RunConfig, [tables, FULL_STATE])
    model = load_run(tmp_path / "run", tiny, config)
    rows = [row for row in read_predictions(tmp_path / "run") if row["split"] == "test"]
    numbers = np.stack([np.loadtxt(tmp_path / "data" / row["id"], dtype=np.float32) for row in rows])
    with torch.no_grad():
        scores = model({"numbers": torch.from_numpy(numbers)})["scores"].numpy()
    np.testing.assert_allclose(scores, [float(row["score"]) for row in rows], rtol=1e-5)


@pytest.mark.parametrize("changes", [{}, FULL_STATE], ids=["plain", "full state"])
def test_resume_is_bit_equal_to_the_uninterrupted_run(tiny, tables, tmp_path, changes):
    run(tiny, tables, tmp_path / "whole", changes)
    with pytest.raises(KeyboardInterrupt):
        run(tiny, tables, tmp_path / "cut", changes, stop_after=2)
    with pytest.raises(KeyboardInterrupt):
        run(tiny, tables, tmp_path / "cut", changes, resume=True, stop_after=5)
    run(tiny, tables, tmp_path / "cut", changes, resume=True)
    for name in ("model.safetensors", "predictions.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()
    assert without_seconds(tmp_path / "whole") == without_seconds(tmp_path / "cut")
    last = [torch.load(tmp_path / name / "checkpoints/last.pt", weights_only=True) for name in ("whole", "cut")]
    for name, state in last[0]["objective"].items():
        torch.testing.assert_close(last[1]["objective"][name], state, rtol=0, atol=0, equal_nan=True)


def test_a_run_killed_before_its_first_checkpoint_can_be_resumed(tiny, tables, tmp_path, monkeypatch):
    run(tiny, tables, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(fit, "train_one_epoch", lambda training: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(tiny, tables, tmp_path / "cut")
    run(tiny, tables, tmp_path / "cut", resume=True)
    assert (tmp_path / "whole/model.safetensors").read_bytes() == (tmp_path / "cut/model.safetensors").read_bytes()


def test_seeds_matter_and_repeat(tiny, tables, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(tiny, tables, tmp_path / name, {"seed": seed})
    a, b, c = (load_file(tmp_path / name / "model.safetensors") for name in "abc")
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not all(torch.equal(a[k], c[k]) for k in a)


def test_loader_processes_change_nothing(tiny, tables, tmp_path):
    run(tiny, tables, tmp_path / "none", {"engine": {"epochs": 2}})
    run(tiny, tables, tmp_path / "two", {"engine": {"epochs": 2, "workers": 2}})
    assert (tmp_path / "none/model.safetensors").read_bytes() == (tmp_path / "two/model.safetensors").read_bytes()


def test_selection_keeps_the_best_validation_epoch_and_never_sees_the_test_part(tiny, tables, tmp_path):
    result = run(tiny, tables, tmp_path / "run", {"engine": {"selection": "validation", "epochs": 8}})
    log = without_seconds(tmp_path / "run")
    values = [float(row["validation_srocc"]) for row in log]
    assert result["selected_epoch"] == 1 + int(np.argmax(values))
    assert result["parts"]["validation"]["srocc"] == pytest.approx(max(values), abs=1e-12)
    assert "test_max_srocc" not in result
    assert not any(key.startswith("test") for key in log[0])


def test_test_max_is_reported_under_that_name_only(tiny, tables, tmp_path):
    plain = run(tiny, tables, tmp_path / "plain")
    shown = run(tiny, tables, tmp_path / "shown", {"engine": {"report_test_max": True}})
    log = without_seconds(tmp_path / "shown")
    assert shown["test_max_srocc"] == max(float(row["test_srocc"]) for row in log)
    assert shown["parts"]["test"]["srocc"] == plain["parts"]["test"]["srocc"]


def test_patience_ends_training(tiny, tables, tmp_path):
    changes = {"engine": {"epochs": 60, "selection": "validation", "patience": 3}, "optim": {"schedule": "constant"}}
    result = run(tiny, tables, tmp_path / "run", changes)
    assert result["epochs"] == result["selected_epoch"] + 3 < 60


def test_accumulation_equals_the_larger_batch(tiny, tables, tmp_path):
    # A mean of squares over 8 is the mean over two 4s; dropout and batch normalisation would see other batches.
    still = {
        "objective": {"terms": [{"name": "mse"}]},
        "model": {"name": f"{__name__}:Linear"},
        "optim": {"name": "sgd", "momentum": 0.0, "lr": 0.1},
    }
    run(tiny, tables, tmp_path / "whole", still, {"engine": {"batch_size": 8}})
    run(tiny, tables, tmp_path / "halves", still, {"engine": {"batch_size": 4, "accumulate": 2}})
    whole, halves = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "halves"))
    for key in whole:
        torch.testing.assert_close(whole[key], halves[key], rtol=1e-5, atol=1e-6)


class Linear(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)

    def forward(self, batch):
        return {"scores": self.layer(batch["numbers"]).squeeze(1)}


def test_half_precision_trains(tiny, tables, tmp_path):
    result = run(tiny, tables, tmp_path / "run", {"engine": {"precision": "bf16-mixed", "epochs": 20}})
    assert result["parts"]["test"]["srocc"] > 0.7


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"objective": {"terms": [{"name": "spaerman"}]}}, UsageProblem, "spearman"),
        ({"objective": {"terms": [{"name": "spearman", "options": {"kernal": "box"}}]}}, UsageProblem, "kernel"),
        ({"model": {"name": "netwrok"}}, UsageProblem, "did you mean 'network'"),
        ({"model": {"options": {"hiden": 3}}}, UsageProblem, "did you mean 'hidden'"),
        ({"model": {"name": "broken"}}, InputError, "no longer finite in epoch 1"),
        ({"data": {"manifest": "absent.csv"}}, InputError, "absent.csv"),
        ({"engine": {"batch_size": 500}}, None, ""),
    ],
)
def test_bad_configurations_end_in_one_line(tiny, tables, tmp_path, changes, error, message):
    if error is None:
        assert run(tiny, tables, tmp_path / "run", changes)["status"] == "finished"
        return
    with pytest.raises(error, match=message) as caught:
        run(tiny, tables, tmp_path / "run", changes)
    assert "\n" not in str(caught.value)


def test_an_unreadable_stimulus_is_found_before_training(tiny, tables, tmp_path):
    (tmp_path / "data" / "7.txt").write_text("not numbers")
    with pytest.raises(InputError, match=r"7\.txt is not a file of numbers"):
        run(tiny, tables, tmp_path / "run")
    assert not (tmp_path / "run" / "log.csv").exists()


def test_constant_targets_are_refused(tiny, tables, tmp_path):
    manifest = tmp_path / "data" / "manifest.csv"
    lines = manifest.read_text().splitlines()
    manifest.write_text(
        "\n".join([lines[0], *(",".join([c[0], "3", *c[2:]]) for c in (x.split(",") for x in lines[1:]))])
    )
    with pytest.raises(InputError, match="nothing to rank"):
        run(tiny, tables, tmp_path / "run")


def test_nothing_is_overwritten(tiny, tables, tmp_path):
    run(tiny, tables, tmp_path / "run", {"engine": {"epochs": 1}})
    before = (tmp_path / "run" / "result.json").read_bytes()
    with pytest.raises(UsageProblem, match="--resume"):
        run(tiny, tables, tmp_path / "run")
    assert (tmp_path / "run" / "result.json").read_bytes() == before


def test_resume_refuses_changed_data_and_other_models(tiny, tables, tmp_path):
    run(tiny, tables, tmp_path / "run", {"engine": {"epochs": 2}})
    with pytest.raises(InputError, match="another model"):
        run(tiny, tables, tmp_path / "run", {"model": {"options": {"hidden": 5}}}, resume=True)
    manifest = tmp_path / "data" / "manifest.csv"
    manifest.write_text(manifest.read_text().replace(",0.3,train", ",0.3,train", 1).replace("c5,", "c6,"))
    text = manifest.read_text().splitlines()
    text[10] = text[10].replace(text[10].split(",")[1], "9.5")
    manifest.write_text("\n".join(text))
    with pytest.raises(InputError, match="has changed since"):
        run(tiny, tables, tmp_path / "run", resume=True)


def test_a_full_disk_while_saving_leaves_last_loadable(tiny, tables, tmp_path, monkeypatch):
    real, saves = checkpoint.write_bytes_atomically, []

    def full_disk(path, data):
        saves.append(path)
        if len(saves) == 3:
            monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        real(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write_bytes_atomically", full_disk)
        with pytest.raises(InputError, match="No space left on device"):
            run(tiny, tables, tmp_path / "cut")
    monkeypatch.undo()
    folder = RunFolder(tmp_path / "cut")
    assert checkpoint.load_checkpoint(folder.last)["progress"]["epoch"] == 2
    assert [f.name for f in folder.checkpoints.iterdir()] == ["last.pt"]
    run(tiny, tables, tmp_path / "cut", resume=True)
    run(tiny, tables, tmp_path / "whole")
    assert (tmp_path / "whole/model.safetensors").read_bytes() == (tmp_path / "cut/model.safetensors").read_bytes()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None], ids=["empty", "garbage", "cut in half"])
def test_damaged_checkpoints_are_named(tiny, tables, tmp_path, content):
    run(tiny, tables, tmp_path / "run", {"engine": {"epochs": 1}})
    last = tmp_path / "run/checkpoints/last.pt"
    whole = last.read_bytes()
    last.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(InputError, match="not a readable checkpoint") as caught:
        run(tiny, tables, tmp_path / "run", resume=True)
    assert "\n" not in str(caught.value)


def test_learning_rate_warms_up_and_falls_to_zero(tiny, tables, tmp_path):
    run(tiny, tables, tmp_path / "run", {"engine": {"epochs": 5, "batch_size": 48}, "optim": {"warmup_epochs": 2}})
    rates = [float(row["lr"]) for row in without_seconds(tmp_path / "run")]
    expected = [0.01, 0.02, *(0.02 * 0.5 * (1 + math.cos(math.pi * k / 3)) for k in range(3))]
    assert rates == pytest.approx(expected)
