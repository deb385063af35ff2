"""A sweep on a cluster of two nodes, one of which is lost. Needs the extra `sweep`."""

import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

cluster_utils = pytest.importorskip("ray.cluster_utils", reason="needs Ray: pip install 'rankqa[sweep]'")

GRID = """
question = "Does a lost node lose a run?"
[fixed]
modality = "image"
recipe = "{folder}/recipe.toml"
data.manifest = "{folder}/manifest.csv"
engine.epochs = 40
[axes]
seed = [0, 1, 2, 3]
"""


@pytest.fixture
def cluster():
    made = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield made
    made.shutdown()


@pytest.mark.timeout(600)
def test_a_node_lost_in_the_middle_loses_no_run(cluster, images, tmp_path):
    node = cluster.add_node(num_cpus=1)
    grid, out = tmp_path / "grid.toml", tmp_path / "sweep"
    grid.write_text(GRID.format(folder=images))
    program = [sys.executable, "-c", "from rankqa_cli.main import main; main()", "ablate"]
    options = ["--out", out, "--executor", "ray", "--address", cluster.address, "--threads", "1"]
    with subprocess.Popen([*program, grid, *options], stderr=subprocess.PIPE, text=True) as driver:
        wait_until(lambda: begun(out) >= 2 or driver.poll() is not None)
        cluster.remove_node(node, allow_graceful=False)
        _, errors = driver.communicate(timeout=500)
    assert driver.returncode == 0, errors
    assert len(list(out.glob("runs/*/result.json"))) == 4


def begun(out: Path) -> int:
    return len(list(out.glob("runs/*/checkpoints/last.pt")))


def wait_until(condition) -> None:
    for _ in range(3000):
        if condition():
            return
        Event().wait(0.1)
    raise AssertionError("it never came true")
