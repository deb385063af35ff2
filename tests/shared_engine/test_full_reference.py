import csv
import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from rankqa_datasets.errors import InputError
from shared_engine.config_files import resolve_config
from shared_engine.train import train


class DifferenceNetwork(nn.Module):
    full_reference = True

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.5, -0.1, 0.1, 0.1]))

    def forward(self, batch):
        return {"scores": (batch["numbers"] - batch["reference_numbers"]) @ self.weight}


@pytest.fixture
def paired(tiny):
    class PairReader(tiny.reader):
        def read_pair(self, path, reference, generator):
            pristine = self(reference, None)["numbers"]
            return {**self(path, generator), "reference_numbers": pristine}

    models = {**tiny.models, "difference": f"{__name__}:DifferenceNetwork"}
    return dataclasses.replace(tiny, models=models, reader=PairReader)


def run(modality, tables, path):
    config = resolve_config(modality.config_type, [tables, {"model": {"name": "difference", "options": {}}}])
    return train(config, modality, path, report=lambda _: None)


def test_a_full_reference_model_gets_the_reference_in_training_and_evaluation(paired, tables, tmp_path, manifest):
    result = run(paired, tables, tmp_path / "run")
    assert result["parts"]["test"]["srocc"] is not None
    with (tmp_path / "run" / "predictions.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    with manifest.open() as lines:
        references = {row["path"]: row["reference"] for row in csv.DictReader(lines)}
    # A stimulus that is its own reference has no difference.
    same = [float(row["score"]) for row in rows if references[row["id"]] == row["id"]]
    assert same
    assert np.abs(same).max() < 1e-6


def test_a_missing_reference_and_a_modality_without_pairs_are_named(paired, tiny, tables, tmp_path, manifest):
    single = dataclasses.replace(paired, reader=tiny.reader)
    with pytest.raises(InputError, match="this modality reads single stimuli only"):
        run(single, tables, tmp_path / "single")
    text = manifest.read_text().splitlines()
    manifest.write_text("\n".join([text[0], text[1].rpartition(",")[0] + ",", *text[2:]]) + "\n")
    with pytest.raises(InputError, match=r"0\.txt has no reference: this model compares with one; give the manifest"):
        run(paired, tables, tmp_path / "none")
