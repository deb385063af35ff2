"""Training that compares only the stimuli that agree in columns of the manifest."""

import csv
import json

import numpy as np
import pytest

from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import read_manifest
from shared_engine.config_files import merge, resolve_config
from shared_engine.groups import group_numbers, rows_that_agree
from shared_engine.names import UsageProblem
from shared_engine.stimuli import GroupBatches
from shared_engine.train import train

WITHIN = {"objective": {"terms": [{"name": "spearman"}], "bank": None, "within": ["content"]}}


def run(tiny, tables, path, *changes):
    config = resolve_config(tiny.config_type, [merge([tables, *changes])])
    return train(config, tiny, path, report=lambda _: None)


def test_whole_groups_share_a_batch_once_an_epoch():
    groups = [[0, 5], [1, 2, 3], [4, 6], [7, 8, 9], [10, 11]]
    batches = GroupBatches(groups, batch_size=7, seed=0)
    seen = []
    for epoch in (1, 2):
        batches.epoch = epoch
        drawn = [[draw.row for draw in batch] for batch in batches]
        assert len(drawn) == len(batches) == 3
        for batch in drawn:
            assert all(set(group) <= set(batch) or not set(group) & set(batch) for group in groups)
        seen.append([row for batch in drawn for row in batch])
        assert sorted(seen[-1]) == list(range(12))
    assert seen[0] != seen[1]
    shares = [[d.row for b in GroupBatches(groups, 7, 0, rank=r, world_size=2) for d in b] for r in (0, 1)]
    assert sorted(shares[0] + shares[1]) == list(range(12))


def test_groups_of_one_are_left_out(manifest):
    stimuli = read_manifest(manifest).stimuli[:45]
    groups = rows_that_agree(stimuli, ["content"])
    assert all(len({stimuli[row].content for row in group}) == 1 and len(group) > 1 for group in groups)
    numbers = group_numbers(groups)
    assert all(numbers[row] == number for number, group in enumerate(groups) for row in group)
    with pytest.raises(InputError, match="no two training stimuli agree in content"):
        rows_that_agree(stimuli[:10], ["content"])
    with pytest.raises(UsageProblem, match="no column 'contents'"):
        rows_that_agree(stimuli, ["contents"])


def test_targets_that_differ_by_group_alone_are_not_learnt(tiny, tables, tmp_path, manifest):
    """An offset of each content, however large, changes no comparison within it."""
    with manifest.open() as lines:
        rows = list(csv.DictReader(lines))
    results = []
    for offset in (0.0, 4096.0):
        for row in rows:
            row["target"] = repr(float(row["target"]) + offset * int(row["content"][1:]))
        with manifest.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        run(tiny, tables, tmp_path / str(offset), WITHIN)
        with (tmp_path / str(offset) / "predictions.csv").open() as lines:
            results.append([float(row["score"]) for row in csv.DictReader(lines)])
    np.testing.assert_allclose(*results, rtol=1e-6)


def test_a_run_starts_from_the_weights_of_another(tiny, tables, tmp_path):
    first = run(tiny, tables, tmp_path / "first", WITHIN)
    frozen = {"optim": {"lr": 1e-12}, "engine": {"epochs": 1}, "model": {"init": str(tmp_path / "first")}}
    second = run(tiny, tables, tmp_path / "second", frozen)
    assert second["parts"]["test"]["srocc"] == pytest.approx(first["parts"]["test"]["srocc"], abs=0.2)
    assert json.loads((tmp_path / "second" / "config.json").read_text())["model"]["init"] == str(tmp_path / "first")
    with pytest.raises(InputError, match=r"nowhere.*is missing"):
        run(tiny, tables, tmp_path / "third", {"model": {"init": str(tmp_path / "nowhere")}})


def test_a_bank_does_not_go_with_groups(tiny, tables):
    with pytest.raises(UsageProblem, match=r"objective\.within compares the stimuli of one batch: leave the bank out"):
        resolve_config(tiny.config_type, [merge([tables, {"objective": {"within": ["content"]}}])])
