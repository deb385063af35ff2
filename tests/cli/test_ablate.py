import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

PROGRAM = [sys.executable, "-c", "from rankqa_cli.main import main; main()", "ablate"]

GRID = """
question = "Which loss?"
[fixed]
modality = "image"
recipe = "{folder}/recipe.toml"
data.manifest = "{folder}/manifest.csv"
engine.epochs = 3
[variants.loss]
mse = {{ "objective.terms" = [{{ name = "mse" }}] }}
spearman = {{ "objective.terms" = [{{ name = "spearman", bank = true }}] }}
{more}
[axes]
seed = [0]
"""


@pytest.fixture
def grid(images, tmp_path) -> Path:
    path = tmp_path / "grid.toml"
    path.write_text(GRID.format(folder=images, more=""))
    return path


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    # A group of its own, so that a test can kill all of it.
    return subprocess.Popen(
        [*PROGRAM, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ablate(*arguments: str | Path) -> tuple[int, str, str]:
    process = start(*arguments)
    output, errors = process.communicate(timeout=300)
    return process.returncode, output, errors


def predictions(folder: Path) -> dict[str, str]:
    return {path.parent.name: path.read_text() for path in folder.glob("runs/*/predictions.csv")}


def test_a_sweep_runs_all_once_and_a_failure_stops_no_other(images, grid, rankqa, fails, tmp_path):
    grid.write_text(
        GRID.format(folder=images, more='bad = { "objective.terms" = [{ name = "plcc", options = { pq = 1 } }] }')
    )
    out = tmp_path / "sweep"
    code, output, errors = ablate(grid, "--out", out, "--slots", "2")
    assert code == 1
    assert "2 of 3 runs finished, 1 failed, 0 open" in output
    assert errors.count("failed: ") == 1
    assert "pq" in errors
    index = json.loads((out / "grid.json").read_text())
    assert [list(run["settings"].values()) for run in index["runs"].values()] == [
        ["mse", 0],
        ["spearman", 0],
        ["bad", 0],
    ]
    assert [grid["question"] for grid in index["grids"]] == ["Which loss?"]
    table = rankqa("table", out).stdout.splitlines()
    assert [line.split()[:2] for line in table[:3]] == [["loss", "n"], ["mse", "1"], ["spearman", "1"]]
    times = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/result.json")}
    assert len(times) == 2
    # The failed one is still missing.
    assert "1 runs failed, see" in fails(1, "ablate", grid, "--out", out)
    assert {path: path.stat().st_mtime_ns for path in times} == times
    plan = rankqa("ablate", grid, "--out", out, "--dry-run").output
    assert plan.count("finished") == 2
    assert "3 runs, 1 to do; about" in plan


def test_a_broken_module_of_the_users_own_fails_its_run_alone(images, grid, tmp_path, monkeypatch):
    (tmp_path / "broken_model.py").write_text("raise RuntimeError('this module is broken')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    grid.write_text(GRID.format(folder=images, more='own = { "model.name" = "broken_model:Net" }'))
    code, output, errors = ablate(grid, "--out", tmp_path / "sweep")
    assert code == 1
    assert "2 of 3 runs finished, 1 failed, 0 open" in output
    assert "failed: this module is broken" in errors


def test_shards_divide_the_runs(images, grid, rankqa, tmp_path):
    grid.write_text(GRID.format(folder=images, more="").replace("seed = [0]", "seed = [0, 1, 2, 3, 4]"))
    ids = []
    for shard in ("1/3", "2/3", "3/3"):
        plan = rankqa("ablate", grid, "--out", tmp_path / "sweep", "--dry-run", "--shard", shard).output
        ids += [line.split()[0] for line in plan.splitlines()[1:-1]]
    assert len(ids) == len(set(ids)) == 10


def test_two_sweeps_share_a_folder(grid, tmp_path):
    out = tmp_path / "sweep"
    both = [start(grid, "--out", out) for _ in range(2)]
    for process in both:
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        assert "2 of 2 runs finished" in output
    assert len(predictions(out)) == 2


def test_killed_at_any_moment_it_ends_with_the_same_results(grid, tmp_path):
    code, _, errors = ablate(grid, "--out", tmp_path / "whole", "--slots", "2")
    assert code == 0, errors
    out = tmp_path / "killed"
    # The first time the driver alone, whose workers end by themselves; the second time all of them.
    for kill in (os.kill, os.killpg):
        driver = start(grid, "--out", out, "--slots", "2")
        wait_for(lambda: any(out.glob("runs/*/checkpoints/last.pt")))
        kill(driver.pid, signal.SIGKILL)
        driver.communicate()
    code, output, errors = ablate(grid, "--out", out, "--slots", "2")
    assert code == 0, errors
    assert "2 of 2 runs finished" in output
    assert predictions(out) == predictions(tmp_path / "whole")


def wait_for(condition) -> None:
    """Looks at it ten times a second, for two minutes at most."""
    for _ in range(1200):
        if condition():
            return
        threading.Event().wait(0.1)
    raise AssertionError("it never came true")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected a grid"),
        (["losses-quik"], "unknown grid 'losses-quik'.*losses-quick"),
        (["none.toml"], "no configuration file none.toml"),
        (["losses-quick", "--shard", "4/3"], "I/N.*got '4/3'"),
        (["losses-quick", "--shard", "x"], "I/N"),
    ],
)
def test_bad_input(fails, arguments, message, tmp_path):
    code = 1 if "configuration" in message else 2
    assert re.search(message, fails(code, "ablate", *arguments, "--out", tmp_path / "sweep", "--dry-run"))


def test_shipped_grids_can_be_listed(rankqa):
    listed = rankqa("ablate", "--list").output
    assert {line.split()[0] for line in listed.splitlines()[1:]} >= {"losses-quick", "losses-full", "batch-size"}
