"""Training on several databases at once."""

import csv

import numpy as np
import pytest
import torch

from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import read_manifest
from shared_engine.config_files import merge, resolve_config
from shared_engine.evaluation import mean_within
from shared_engine.mixture import find_mixture
from shared_engine.train import train


def mix(manifest, change=lambda name, target: target):
    """Gives the manifest a column of two databases, the second with a third of the rows."""
    with manifest.open() as lines:
        rows = list(csv.DictReader(lines))
    for i, row in enumerate(rows):
        row["database"] = "small" if i % 3 == 0 else "large"
        row["target"] = repr(change(row["database"], float(row["target"])))
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def run(tiny, tables, path, *changes, **options):
    lines = []
    config = resolve_config(tiny.config_type, [merge([tables, *changes])])
    return train(config, tiny, path, report=lines.append, **options), lines


def read_log(path):
    with (path / "log.csv").open() as lines:
        return list(csv.DictReader(lines))


def test_each_database_has_its_bank_its_scale_and_its_numbers(tiny, tables, tmp_path, manifest):
    mix(manifest)
    result, lines = run(tiny, tables, tmp_path / "run", {"engine": {"epochs": 25}})
    assert any("databases large (32), small (16): never compared" in line for line in lines)
    assert result["parts"].keys() == {"test, large", "test, small"}
    assert result["baselines"].keys() == {"sum, large", "sum, small"}
    assert result["parts"]["test, large"]["srocc"] > 0.6
    assert result["calibration"] is None
    log = read_log(tmp_path / "run")
    assert {"loss_spearman", "loss_spearman/large", "loss_mse/small", "bank_fill/large", "bank_fill/small"} <= set(
        log[0]
    )
    assert {float(log[-1][f"bank_fill/{name}"]) for name in ("large", "small")} == {1.0}


def test_the_scale_of_one_database_is_no_matter(tiny, tables, tmp_path, manifest):
    mix(manifest)
    validation = {"engine": {"selection": "validation"}}
    plain, _ = run(tiny, tables, tmp_path / "plain", validation)
    # Exact in binary: a power of two, no shift.
    mix(manifest, lambda name, target: target * 64 if name == "small" else target)
    scaled, _ = run(tiny, tables, tmp_path / "scaled", validation)
    for name in ("test, large", "test, small"):
        assert scaled["parts"][name]["srocc"] == plain["parts"][name]["srocc"]
    losses = [[float(row["loss"]) for row in read_log(tmp_path / name)] for name in ("plain", "scaled")]
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_a_mixture_resumes_bit_equal(tiny, tables, tmp_path, manifest):
    mix(manifest)
    run(tiny, tables, tmp_path / "whole")

    def stop(line):
        if line.startswith("epoch 3/"):
            raise KeyboardInterrupt

    config = resolve_config(tiny.config_type, [tables])
    with pytest.raises(KeyboardInterrupt):
        train(config, tiny, tmp_path / "cut", report=stop)
    run(tiny, tables, tmp_path / "cut", resume=True)
    one, other = ((tmp_path / name / "predictions.csv").read_bytes() for name in ("whole", "cut"))
    assert one == other


def test_rows_know_their_database_and_place(manifest):
    mix(manifest)
    stimuli = read_manifest(manifest).stimuli
    mixture = find_mixture(stimuli)
    assert mixture.names == ("large", "small")
    assert mixture.sizes == (40, 20)
    assert mixture.place[mixture.database == 1].tolist() == list(range(20))
    rows = torch.tensor([0, 1, 59])
    targets = torch.tensor([stimuli[i].target for i in rows])
    standardised, spread = mixture.standardise(rows, targets, torch.full((3,), 0.3))
    small = np.array([s.target for s in stimuli if s.extra["database"] == "small"])
    assert standardised[0].item() == pytest.approx((stimuli[0].target - small.mean()) / small.std(), rel=1e-5)
    assert spread[0].item() == pytest.approx(0.3 / small.std(), rel=1e-5)


def test_criteria_are_means_within_databases(manifest):
    mix(manifest, lambda name, target: -target if name == "small" else target)
    stimuli = read_manifest(manifest).stimuli
    scores = np.array([s.target * (-1 if s.extra["database"] == "small" else 1) for s in stimuli])
    correlation = mean_within(lambda x, y: float(np.corrcoef(x, y)[0, 1]), stimuli, scores)
    assert correlation == pytest.approx(0.0)
    assert mean_within(lambda x, y: None if len(x) == 20 else 1.0, stimuli, scores) is None


def test_bad_mixtures_are_named(tiny, tables, tmp_path, manifest):
    mix(manifest, lambda name, target: 3.0 if name == "small" else target)
    with pytest.raises(InputError, match=r"all \d+ training targets of small are 3: there is nothing to rank"):
        run(tiny, tables, tmp_path / "flat")
    lines = manifest.read_text().splitlines()
    lines[-1] = lines[-1].removesuffix("large")  # a row of the training part
    manifest.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=r"59\.txt has an empty cell in the column database"):
        run(tiny, tables, tmp_path / "empty")
