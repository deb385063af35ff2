"""A modality small enough to train in a moment: a stimulus is a text file of numbers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from rankqa_datasets.errors import InputError
from shared_engine.config import RunConfig
from shared_engine.modality import Modality


class NumbersReader:
    """The numbers of a file, with a little noise in training."""

    def __init__(self, config, cache):
        self.cache = cache

    def __call__(self, path: Path, generator):
        def read():
            try:
                return {"numbers": np.loadtxt(path, dtype=np.float32)}
            except ValueError:
                raise InputError(f"{path} is not a file of numbers") from None

        numbers = torch.from_numpy(np.array(self.cache.fetch(path, "numbers", read)["numbers"]))
        if generator is not None:
            numbers = numbers + 0.1 * torch.randn(numbers.shape, generator=generator)
        return {"numbers": numbers}


class TinyNetwork(nn.Module):
    """Two layers with dropout and batch normalisation, so that every kind of state is there."""

    def __init__(self, *, hidden: int = 8, scale: float = 1.0):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(4, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(0.2), nn.Linear(hidden, 1)
        )
        self.scale = scale

    def forward(self, batch):
        return {"scores": self.scale * self.body(batch["numbers"]).squeeze(1)}


class BrokenNetwork(TinyNetwork):
    """Its scores are never finite."""

    def forward(self, batch):
        return {"scores": super().forward(batch)["scores"] * float("inf")}


@pytest.fixture(scope="session")
def tiny() -> Modality:
    return Modality(
        name="tiny",
        config_type=RunConfig,
        suffixes=(".txt",),
        models={"network": f"{__name__}:TinyNetwork", "broken": f"{__name__}:BrokenNetwork"},
        reader=NumbersReader,
        baselines=lambda stimulus, _: {"sum": float(np.loadtxt(stimulus.reference).sum())},
        training_baselines=("sum",),
    )


@pytest.fixture
def manifest(tmp_path) -> Path:
    """60 stimuli of 20 contents whose target is a noisy linear function of four numbers; 12 of 4 contents are the
    test part.
    """
    rng = np.random.default_rng(0)
    folder = tmp_path / "data"
    folder.mkdir()
    lines = ["path,target,content,target_std,split,reference"]
    for i in range(60):
        numbers = rng.normal(size=4)
        target = numbers @ [1, -2, 0.5, 1] + rng.normal(0, 0.3)
        np.savetxt(folder / f"{i}.txt", numbers)
        content = i % 20
        lines.append(f"{i}.txt,{target:.4f},c{content},0.3,{'test' if content < 4 else 'train'},{content}.txt")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder / "manifest.csv"


@pytest.fixture
def tables(manifest) -> dict:
    """A complete configuration as plain tables, to be changed by a test."""
    return {
        "modality": "tiny",
        "recipe": "tiny",
        "data": {"manifest": str(manifest)},
        "model": {"name": "network"},
        "input": {},
        "objective": {
            "terms": [{"name": "spearman", "bank": True}, {"name": "mse", "weight": 0.1}],
            "bank": {"kind": "table"},
        },
        "optim": {"lr": 0.02, "warmup_epochs": 1},
        "engine": {"epochs": 6, "batch_size": 8, "accelerator": "cpu"},
    }
