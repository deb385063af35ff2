"""Runs that learn classes from a column of the manifest beside their scores."""

import csv
import dataclasses
import json
import math

import pytest
from torch import nn

from rankqa_datasets.errors import InputError
from shared_engine.config import DataConfig
from shared_engine.config_files import merge, resolve_config
from shared_engine.names import UsageProblem
from shared_engine.parts import read_parts
from shared_engine.train import train

TERMS = [{"name": "mse"}, {"name": "cross_entropy", "weight": 0.5, "output": "sign_logits"}]
CLASSES = {"data": {"classes": "sign"}, "objective": {"terms": TERMS, "bank": False}}


class TwoHeads(nn.Module):
    """Scores, and logits of classes."""

    def __init__(self, *, classes: int = 2):
        super().__init__()
        self.scores, self.classes = nn.Linear(4, 1), nn.Linear(4, classes)

    def forward(self, batch):
        numbers = batch["numbers"]
        return {"scores": self.scores(numbers).squeeze(1), "sign_logits": self.classes(numbers)}


@pytest.fixture
def two_heads(tiny):
    return dataclasses.replace(tiny, models={"network": f"{__name__}:TwoHeads"})


@pytest.fixture
def signs(manifest, tables):
    """The manifest with a column that says whether the target is positive, and empty in every fifth row."""
    with manifest.open() as lines:
        rows = list(csv.DictReader(lines))
    for i, row in enumerate(rows):
        row["sign"] = "" if i % 5 == 4 else "up" if float(row["target"]) > 0 else "down"
    write(manifest, rows)
    return merge([tables, CLASSES])


def write(manifest, rows):
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def run(modality, tables, path, *changes, resume=False, stop_after=None):
    lines = []

    def report(line):
        lines.append(line)
        if stop_after is not None and line.startswith(f"epoch {stop_after}/"):
            raise KeyboardInterrupt

    result = train(
        resolve_config(modality.config_type, [merge([tables, *changes])]), modality, path, resume=resume, report=report
    )
    return result, lines


def test_classes_of_the_column_are_learnt(two_heads, signs, tmp_path):
    result, lines = run(two_heads, signs, tmp_path / "run", {"engine": {"epochs": 12}})
    assert result["classes"] == ("down", "up")
    assert "classes down, up; 12 stimuli of unknown class" in lines
    assert json.loads((tmp_path / "run" / "result.json").read_text())["classes"] == ["down", "up"]
    with (tmp_path / "run" / "log.csv").open() as file:
        losses = [float(row["loss_cross_entropy@sign_logits"]) for row in csv.DictReader(file)]
    assert losses[-1] < 0.5 < losses[0]


def test_indices_follow_the_training_part(signs, manifest):
    parts = read_parts(DataConfig(manifest=str(manifest), classes="sign"), need_validation=False)
    assert parts.classes == ("down", "up")
    names = [s.extra["sign"] for s in parts.train]
    assert [("down", "up", "")[number] for number in parts.class_of] == names
    # In a column of rankqa's own, too.
    parts = read_parts(DataConfig(manifest=str(manifest), classes="content"), need_validation=False)
    assert parts.classes == tuple(sorted({s.content for s in parts.train}))


def test_resume_is_bit_equal_and_refuses_changed_classes(two_heads, signs, tmp_path, manifest):
    run(two_heads, signs, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(two_heads, signs, tmp_path / "cut", stop_after=2)
    run(two_heads, signs, tmp_path / "cut", resume=True)
    for name in ("model.safetensors", "predictions.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()
    text = manifest.read_text()
    manifest.write_text(text.replace(",up", ",sideways"))
    with pytest.raises(InputError, match="has changed since the run began: its ids, targets, parts or classes differ"):
        run(two_heads, signs, tmp_path / "cut", resume=True)


def test_a_run_without_classes_is_described_as_before(tables):
    assert "classes" not in DataConfig.model_validate(tables["data"]).model_dump()
    assert "classes" not in json.loads(DataConfig.model_validate(tables["data"]).model_dump_json())
    assert DataConfig(manifest="m.csv", classes="sign").model_dump()["classes"] == "sign"


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"data": {"classes": "sgn"}}, UsageProblem, r"data\.classes: no column 'sgn'.*sign"),
        ({"data": {"classes": None}}, UsageProblem, r"learns classes: name .* --set data\.classes=COLUMN"),
        ({"objective": {"terms": [{"name": "mse"}]}}, UsageProblem, r"data\.classes is 'sign', but no term"),
        ({"data": {"classes": "empty"}}, InputError, "the column empty is empty in all 48 training stimuli"),
        (
            {"data": {"classes": "content"}},
            UsageProblem,
            r"16 classes \(c10, .*\), but the model's sign_logits tell 2: give the model as many",
        ),
        ({"model": {"options": {"classes": 1}}}, UsageProblem, r"2 classes \(down, up\), .* tell 1"),
    ],
)
def test_what_does_not_fit_is_named(two_heads, signs, tmp_path, manifest, changes, error, words):
    with manifest.open() as lines:
        write(manifest, [{**row, "empty": " "} for row in csv.DictReader(lines)])
    with pytest.raises(error, match=words):
        run(two_heads, signs, tmp_path / "run", changes)


def test_a_batch_without_a_known_class_trains_on(two_heads, signs, tmp_path, manifest):
    with manifest.open() as lines:
        rows = list(csv.DictReader(lines))
    write(manifest, [{**row, "sign": "up" if row["path"] == "7.txt" else ""} for row in rows])
    result, _ = run(two_heads, signs, tmp_path / "run", {"engine": {"batch_size": 4}})
    assert result["classes"] == ("up",)
    assert math.isfinite(result["parts"]["test"]["srocc"])


def test_weights_that_tell_other_classes_are_named(two_heads, signs, manifest, tmp_path):
    run(two_heads, signs, tmp_path / "first")
    begin = {"model": {"init": str(tmp_path / "first")}}
    assert not [line for line in run(two_heads, signs, tmp_path / "same", begin)[1] if line.startswith("note")]
    with manifest.open() as lines:
        rows = [row | {"sign": row["sign"].replace("up", "above")} for row in csv.DictReader(lines)]
    write(manifest, rows)
    (note,) = [line for line in run(two_heads, signs, tmp_path / "other", begin)[1] if line.startswith("note")]
    assert "learnt the classes down, up, and here they are above, down" in note
