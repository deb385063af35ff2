"""A sweep of 24 runs, killed at 20 random moments, beside an undisturbed one.

    python benchmarks/ablation/kill_test.py FOLDER [--kills 20] [--seed 0]

Half of the kills hit the driver alone, the others one of its workers or the process that forks them. Exits with 0 if
both sweeps end with the same 24 runs and equal predictions.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

GRID = """
question = "Does a kill lose or double a run?"
[fixed]
modality = "image"
recipe = "demo-image"
data.manifest = "demo:image"
engine.epochs = 2
model.options = { widths = [8, 8] }
input = { crop = 32, eval_crops = 1 }
[variants.loss]
mse = { "objective.terms" = [{ name = "mse" }] }
plcc = { "objective.terms" = [{ name = "plcc" }] }
spearman = { "objective.terms" = [{ name = "spearman", bank = true }] }
[axes]
engine.batch_size = [16, 32]
seed = [0, 1, 2, 3]
"""


def start(grid, out):
    command = [sys.executable, "-c", "from rankqa_cli.main import main; main()", "ablate"]
    return subprocess.Popen([*command, str(grid), "--out", str(out), "--slots", "2"], stderr=subprocess.DEVNULL)


def descendants(pid):
    """Its workers, the server that forks them included."""
    files = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(child) for file in files for child in file.read_text().split()]
    return [*children, *(one for child in children for one in descendants(child))]


def predictions(out):
    return {path.parent.name: path.read_text() for path in out.glob("runs/*/predictions.csv")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    grid = args.folder / "grid.toml"
    grid.write_text(GRID)
    started = time.perf_counter()
    start(grid, args.folder / "whole").wait()
    whole, seconds = predictions(args.folder / "whole"), time.perf_counter() - started
    choose, kills, driver = random.Random(args.seed), 0, None
    while kills < args.kills:
        if driver is None or driver.poll() is not None:
            driver = start(grid, args.folder / "killed")
        time.sleep(choose.uniform(0.5, 1.5 * seconds / args.kills))
        targets = descendants(driver.pid) if choose.random() < 0.5 else [driver.pid]
        if driver.poll() is None and targets:
            os.kill(choose.choice(targets), signal.SIGKILL)
            kills += 1
    driver.wait()
    start(grid, args.folder / "killed").wait()
    killed = predictions(args.folder / "killed")
    same = sum(killed.get(name) == text for name, text in whole.items())
    failures = len(list((args.folder / "killed").glob("runs/*.failure.json")))
    print(f"{len(whole)} runs undisturbed ({seconds:.0f} s), {len(killed)} after {kills} kills, {same} equal,", end=" ")
    print(f"{failures} failures")
    sys.exit(0 if len(whole) == 24 and killed == whole and not failures else 1)


if __name__ == "__main__":
    main()
