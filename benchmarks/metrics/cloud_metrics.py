"""D1, D2 and colour of a million voxels: ours beside MPEG's pc_error, on the same files in one run.

Run: python benchmarks/metrics/cloud_metrics.py [--pc-error PATH] [--points N] [--threads T] [--runs R]

The pair: voxels of a bumpy closed surface with normals and colours, about N of them, and the same with noise. Both
programs read the files, merge equal points and compute all three metrics with their Hausdorff distances; each of the
runs takes place in a process of its own, in turns. Ours is timed from the first byte read to the last number, in a
process that has imported the package and compiled its loops before; the time of the whole process, Python's start and
imports included, stands beside it. pc_error (github.com/MPEGGroup/mpeg-pcc-dmetric, a release build) is timed as a
process. Wall time is the median of the runs; CPU time is user and system of the process.
"""

import argparse
import json
import math
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PEAK = 1023.0


def write_pair(folder: Path, num_points: int) -> None:
    import numpy as np

    from pcqa.cloud import Cloud
    from pcqa.io import write_ply

    rng = np.random.default_rng(0)
    # Three samples for each voxel leave few holes; a surface of this shape has 2.62 size^2 voxels.
    directions = rng.normal(size=(3 * num_points, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    x, y, z = directions.T
    radius = 0.42 + 0.05 * np.sin(5 * x) * np.cos(4 * y) + 0.025 * np.sin(9 * z)
    size = math.sqrt(num_points / 2.62)
    voxels = np.round((0.5 + directions * radius[:, None]) * size)
    voxels, first = np.unique(voxels, axis=0, return_index=True)
    colors = np.round(127.5 + 127.5 * np.sin(voxels / 17 + [0, 1, 2]))
    moved, kept = np.unique(np.round(voxels + rng.normal(0, 0.6, voxels.shape)), axis=0, return_index=True)
    noisy = np.clip(colors[kept] + np.round(rng.normal(0, 6, moved.shape)), 0, 255)
    clouds = {"reference": (voxels, colors, directions[first]), "distorted": (moved, noisy, None)}
    for name, (points, rgb, normals) in clouds.items():
        order = rng.permutation(len(points))
        normals = None if normals is None else normals[order].astype(np.float32)
        rgb = (rgb[order] / 255).astype(np.float32)
        write_ply(Cloud(points[order].astype(np.float32), rgb, normals), folder / f"{name}.ply")
        print(f"{name}: {len(points)} voxels", flush=True)


def measure_ours(folder: Path) -> dict:
    """One run, in this process."""
    import numpy as np

    from pcqa.cloud import Cloud
    from pcqa.io import read_cloud
    from pcqa.metrics.cloud_pair import CloudPair
    from pcqa.metrics.color_error import color_error
    from pcqa.metrics.point_to_plane import d2
    from pcqa.metrics.point_to_point import d1

    voxels = np.indices((3, 3, 3)).reshape(3, -1).T.astype(np.float32)
    d1(CloudPair(Cloud(voxels), Cloud(voxels + 1)), peak=PEAK)  # loads the compiled loops
    start, before = time.perf_counter(), cpu_seconds()
    pair = CloudPair(*(read_cloud(folder / f"{name}.ply") for name in ("reference", "distorted")))
    read = time.perf_counter()
    point, plane, color = d1(pair, peak=PEAK), d2(pair, peak=PEAK), color_error(pair)
    end = time.perf_counter()
    values = [point.mse, point.hausdorff, plane.mse, plane.hausdorff, *color.mse, *color.hausdorff]
    return {
        "wall": end - start,
        "metrics": end - read,
        "cpu": cpu_seconds() - before,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "values": values,
    }


def run_ours(folder: Path, options) -> dict:
    command = [sys.executable, __file__, "--measure", str(folder)]
    threads = {name: str(options.threads) for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS")}
    start = time.perf_counter()
    done = subprocess.run(pinned(command, options), env={**os.environ, **threads}, stdout=subprocess.PIPE, check=True)
    return {**json.loads(done.stdout), "process": time.perf_counter() - start}


def run_pc_error(folder: Path, options) -> dict:
    files = [f"--fileA={folder}/reference.ply", f"--fileB={folder}/distorted.ply"]
    settings = ["--color=1", "--hausdorff=1", f"--resolution={PEAK:g}", f"--nbThreads={options.threads}"]
    start = time.perf_counter()
    command = pinned([options.pc_error, *files, *settings], options)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    final = printed.split("Final (symmetric)")[1]
    keys = [r"mseF *\(p2point\)", r"h\. *\(p2point\)", r"mseF *\(p2plane\)", r"h\. *\(p2plane\)"]
    keys += [rf"  c\[{channel}\], *F" for channel in range(3)] + [rf"h\.c\[{channel}\], *F" for channel in range(3)]
    found = [re.search(rf"{key} *: (\S+)", final) for key in keys]
    computing = re.search(r"(\S+) seconds elapsed \(excluding", printed)
    return {
        "wall": wall,
        "metrics": float(computing[1]) if computing else math.nan,
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory": usage.ru_maxrss / 1024,
        "values": [float(match[1]) for match in found if match],
    }


def pinned(command: list[str], options) -> list[str]:
    """SciPy's search takes all cores that the process may use: it gets as many as there are threads."""
    return ["taskset", "-c", f"0-{options.threads - 1}", *command]


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def summary(runs: list[dict]) -> dict:
    return {key: statistics.median(run[key] for run in runs) for key in runs[0] if key != "values"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pc-error", help="path of the built program; without it only ours is timed")
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write_pair(options.write, options.points)
        return
    if options.measure:
        print(json.dumps(measure_ours(options.measure)))
        return
    has_program = bool(options.pc_error) and Path(options.pc_error).is_file()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Not in this process: Linux counts the memory of a parent for its children.
        subprocess.run([sys.executable, __file__, "--write", name, "--points", str(options.points)], check=True)
        print(f"{options.threads} threads, median of {options.runs}, load {os.getloadavg()[0]:.1f}", flush=True)
        ours, theirs = [], []
        for _ in range(options.runs):
            ours.append(run_ours(folder, options))
            if has_program:
                theirs.append(run_pc_error(folder, options))
    our = summary(ours)
    print(
        f"ours:     {our['wall']:.2f} s with reading ({our['metrics']:.2f} s without), CPU {our['cpu']:.2f} s, "
        f"{our['memory']:.0f} MB; whole process {our['process']:.2f} s"
    )
    if not has_program:
        print("pc_error: skipped, no program at --pc-error")
        return
    their = summary(theirs)
    print(
        f"pc_error: {their['wall']:.2f} s with reading ({their['metrics']:.2f} s without reading and merging), "
        f"CPU {their['cpu']:.2f} s, {their['memory']:.0f} MB"
    )
    differences = [abs(a / b - 1) for a, b in zip(ours[0]["values"], theirs[0]["values"], strict=True)]
    print(
        f"ratio:    wall {our['wall'] / their['wall']:.2f}, CPU {our['cpu'] / their['cpu']:.2f}, whole process "
        f"{our['process'] / their['wall']:.2f}, memory {our['memory'] / their['memory']:.1f}; "
        f"values differ by {max(differences):.0e}"
    )


if __name__ == "__main__":
    main()
