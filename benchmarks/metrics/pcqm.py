"""PCQM: ours beside the program MEPP-team/PCQM, on the same clouds with the same number of threads.

Run: python benchmarks/metrics/pcqm.py [--pcqm PATH] [--points 100000 1000000] [--threads 1] [--runs 3]

PATH is the built program, its tables beside it; without it, ours alone is measured. Clouds are a voxelised torus and
one with moved points and noisy colours. The program's time is that of its process; ours is that of reading the two
files and comparing them, after one run to warm up (Python's start and compiling left out): wall and CPU seconds, the
best of the runs, which take turns. Peak memory is that of each process.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def write_pair(folder: Path, count: int) -> None:
    from pcqa.cloud import Cloud
    from pcqa.io.ply import write_ply

    rng = np.random.default_rng(0)
    u, v = rng.random((2, 3 * count)) * 2 * np.pi
    side = 0.32 * np.sqrt(count)
    torus = np.column_stack([(2 + np.cos(v)) * np.cos(u), (2 + np.cos(v)) * np.sin(u), 1.3 * np.sin(v)])
    points = np.unique(np.round((torus + 3) * side / 2), axis=0)
    points = points[np.sort(rng.choice(len(points), min(count, len(points)), replace=False))]
    colors = 0.5 + 0.25 * np.sin(points * 14 / side) + 0.15 * np.sin(points[:, ::-1] * 60 / side)
    moved = points + rng.integers(-1, 2, points.shape) * (rng.random(points.shape) < 0.2)
    noisy = (colors + 0.03 * rng.standard_normal(colors.shape)).clip(0, 1)
    for name, places, shades in (("reference", points, colors), ("distorted", moved, noisy)):
        write_ply(Cloud(places.astype(np.float32), shades.astype(np.float32)), folder / f"{name}.ply")


def measure_ours(folder: Path, runs: int) -> dict[str, float]:
    """In this process, which was started for it."""
    from pcqa.io import read_cloud
    from pcqa.metrics.cloud_pair import CloudPair
    from pcqa.metrics.pcqm import pcqm

    walls, cpus, value = [], [], 0.0
    for _ in range(runs + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        pair = CloudPair(read_cloud(folder / "reference.ply"), read_cloud(folder / "distorted.ply"))
        value = pcqm(pair).pcqm
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall": min(walls[1:]), "cpu": min(cpus[1:]), "peak": peak, "pcqm": value}


def measure_program(program: Path, folder: Path) -> dict[str, float]:
    command = [program.resolve(), folder.resolve() / "reference.ply", folder.resolve() / "distorted.ply", "-fq"]
    wall = time.perf_counter()
    process = subprocess.Popen(command, cwd=program.resolve().parent, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = process.stdout.read()
    _, _, usage = os.wait4(process.pid, 0)
    value = float(printed.split("PCQM value is : ")[1].split()[0])
    cpu = usage.ru_utime + usage.ru_stime
    return {"wall": time.perf_counter() - wall, "cpu": cpu, "peak": usage.ru_maxrss / 1024, "pcqm": value}


def main() -> None:
    parser = argparse.ArgumentParser(description="PCQM: ours beside the program.")
    parser.add_argument("--pcqm", type=Path)
    parser.add_argument("--points", type=int, nargs="+", default=[100_000])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure_ours(options.only, 1)))
        return
    if options.pcqm is None:
        print("the program is left out: give its path by --pcqm (source: https://github.com/MEPP-team/PCQM)")
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    for count in options.points:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_pair(folder, count)
            measured = {"ours": [], "program": []}
            for _ in range(options.runs):
                ours = subprocess.run(
                    [sys.executable, __file__, "--only", name], check=True, capture_output=True, text=True
                )
                measured["ours"].append(json.loads(ours.stdout))
                if options.pcqm is not None:
                    measured["program"].append(measure_program(options.pcqm, folder))
            best = {
                who: {key: min(run[key] for run in runs) for key in runs[0]} for who, runs in measured.items() if runs
            }
            for who, run in best.items():
                print(
                    f"{count} points, {options.threads} thread(s), {who}: "
                    f"{run['wall']:.2f} s wall, {run['cpu']:.2f} s CPU, "
                    f"{run['peak']:.0f} MB, PCQM {run['pcqm']:.6g}"
                )
            if len(best) == 2:
                ratios = {key: best["ours"][key] / best["program"][key] for key in ("wall", "cpu")}
                print(f"  ours / program: {ratios['wall']:.2f} wall, {ratios['cpu']:.2f} CPU")


if __name__ == "__main__":
    main()
