"""Clouds trained by two processes over gloo against one process."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from pcqa.cloud import Cloud
from pcqa.io.ply import write_ply

# Normalisation by running statistics and no dropout: then rows do not know of each other, as batch normalisation would
# make them within a process. Fabric runs this file once for each process.
PROGRAM = """
import dataclasses, os, sys
from pathlib import Path

import torch.distributed as dist
from torch.nn.modules.batchnorm import _BatchNorm

from pcqa.config import CloudRunConfig
from pcqa.modality import CLOUD
from pcqa.models.pointnet2 import PointNet2
from pcqa.models.pqa_net import PQANet
from shared_engine.config_files import resolve_config
from shared_engine.train import train

class Still:
    def train(self, mode=True):
        super().train(mode)
        for module in self.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        return self

class StillPoints(Still, PointNet2):
    pass

class StillViews(Still, PQANet):
    pass

RUNS = {
    "points": {
        "model": {
            "name": "points",
            "options": {
                "counts": [16, 4], "radii": [0.4, 0.8], "neighbors": [8, 4], "widths": [[8, 8], [16], [16]],
                "head": [8], "dropout": 0.0,
            },
        },
        "input": {"patches": {"size": 64, "saved": 3, "train": 2, "evaluate": 2}},
        "objective": {
            "terms": [{"name": "spearman", "bank": True}, {"name": "mse", "weight": 0.1}], "bank": {"kind": "table"}
        },
    },
    "views": {
        "model": {"name": "views", "options": {"types": 2, "dropout": 0.0}},
        "data": {"classes": "kind"},
        "input": {"views": {"size": 171}},
        "objective": {"terms": [{"name": "mae"}, {"name": "cross_entropy", "output": "type_logits"}]},
    },
}

if __name__ == "__main__":
    folder, devices = Path(sys.argv[1]), int(sys.argv[2])
    models = {**CLOUD.models, "points": "__main__:StillPoints", "views": "__main__:StillViews"}
    modality = dataclasses.replace(CLOUD, models=models)
    for name, tables in RUNS.items():
        tables["data"] = {**tables.get("data", {}), "manifest": str(folder / "manifest.csv")}
        tables["optim"] = {"name": "sgd", "lr": 0.05}
        tables["engine"] = {"epochs": 2, "batch_size": 4, "accelerator": "cpu", "devices": devices}
        config = resolve_config(CloudRunConfig, [tables])
        train(config, modality, folder / f"{name}{devices}", cache=folder / "cache", report=lambda _: None)
    if devices > 1:
        dist.barrier()
    # Without the interpreter's own end: a gloo thread that still waits for its lock then would abort the process.
    os._exit(0)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Twelve clouds of two kinds, some unknown; an odd number of them is judged."""
    folder = tmp_path_factory.mktemp("processes")
    generator = np.random.default_rng(0)
    lines = ["path,target,content,kind,split"]
    for i in range(15):
        points = generator.normal(size=(200, 3)) * (1, 1, 0.2 + 0.1 * i)
        colors = generator.random((200, 3)) * (i % 2)
        write_ply(Cloud(points.astype(np.float32), colors.astype(np.float32)), folder / f"{i}.ply")
        kind = "" if i % 3 == 0 else ("dark", "bright")[i % 2]
        lines.append(f"{i}.ply,{i % 7 + 0.1 * i:.1f},c{i},{kind},{'test' if i < 3 else 'train'}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    (folder / "program.py").write_text(PROGRAM)
    for devices in ("2", "1"):
        command = [sys.executable, folder / "program.py", folder, devices]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", ["points", "views"])
def test_two_processes_equal_one(folder, name):
    one, two = (load_file(folder / f"{name}{devices}" / "model.safetensors") for devices in (1, 2))
    assert one.keys() == two.keys()
    for key in one:
        np.testing.assert_allclose(two[key], one[key], rtol=0, atol=2e-5, err_msg=key)


@pytest.mark.parametrize("name", ["points", "views"])
def test_each_judged_cloud_has_one_row(folder, name):
    rows = []
    for devices in (1, 2):
        with (folder / f"{name}{devices}" / "predictions.csv").open() as file:
            rows.append(list(csv.DictReader(file)))
    assert [row["id"] for row in rows[0]] == [row["id"] for row in rows[1]] == ["0.ply", "1.ply", "2.ply"]
    scores = [[float(row["score"]) for row in own] for own in rows]
    assert len(set(scores[0])) == 3
    np.testing.assert_allclose(scores[1], scores[0], atol=1e-4)
