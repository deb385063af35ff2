"""Reading binary PLY: ours beside Open3D's reader, on the same file in one run; and the memory of large files.

Run: python benchmarks/io/read_ply.py [--points N] [--runs R] [--folder F] [--large N]

The file has N points with x, y, z as float and red, green, blue as uchar (15 bytes each). Each reader runs in a process
of its own, the two in turns, so that the peak memory is its own: the most that the process ever held, and in brackets
what it held before it read (interpreter and imports). Time is the median and the best of R runs after one to warm up,
with processor time beside wall time. Both end with arrays in NumPy; Open3D's are double, ours float. With --large, ours
also reads a binary and an ASCII file of that many points once. Open3D needs libgl1, libgomp1 and libusb-1.0-0.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

# Points written at once, so that the large files do not need their size in memory.
BLOCK = 250_000


def write_file(path: Path, count: int, *, ascii: bool) -> None:
    types = [("float", name) for name in "xyz"] + [("uchar", name) for name in ("red", "green", "blue")]
    generator = np.random.default_rng(0)
    rows = np.empty(min(BLOCK, count), [(name, "<f4" if kind == "float" else "u1") for kind, name in types])
    for kind, name in types:
        size = len(rows)
        rows[name] = generator.random(size) * 1000 if kind == "float" else generator.integers(0, 256, size)
    lines = ["ply", f"format {'ascii' if ascii else 'binary_little_endian'} 1.0", f"element vertex {count}"]
    lines += [f"property {kind} {name}" for kind, name in types]
    if ascii:
        block = "".join(f"{x:.7g} {y:.7g} {z:.7g} {r} {g} {b}\n" for x, y, z, r, g, b in rows.tolist()).encode()
    else:
        block = rows.tobytes()
    with path.open("wb") as file:
        file.write("\n".join([*lines, "end_header\n"]).encode())
        # The same block again and again; the last one is cut at a row.
        whole, rest = divmod(count, len(rows))
        for _ in range(whole):
            file.write(block)
        file.write(b"".join(block.splitlines(keepends=True)[:rest]) if ascii else rows[:rest].tobytes())


def ours(path):
    from pcqa.io import read_ply

    def read():
        cloud = read_ply(path)
        return cloud.points, cloud.colors

    return read


def open3d_reader(path):
    import open3d

    def read():
        cloud = open3d.io.read_point_cloud(path)
        return np.asarray(cloud.points), np.asarray(cloud.colors)

    return read


READERS = {"rankqa": ours, "open3d": open3d_reader}


def measure(reader: str, path: str, runs: int) -> dict:
    read = READERS[reader](path)
    before = peak_memory()
    wall, processor = [], []
    for _ in range(runs + 1):
        starts = time.perf_counter(), time.process_time()
        points, colors = read()
        wall.append(time.perf_counter() - starts[0])
        processor.append(time.process_time() - starts[1])
    # A single run is a cold one; of more, the first warms up.
    kept = slice(1 if runs else 0, None)
    sums = [float(points.sum()), float(colors.sum())]
    result = {"median": statistics.median(wall[kept]), "best": min(wall[kept]), "processor": min(processor[kept])}
    return result | {"before": before, "peak": peak_memory(), "sums": sums}


def peak_memory() -> float:
    """In MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_own_process(reader: str, path: Path, runs: int) -> dict | None:
    command = [sys.executable, __file__, "--measure", reader, "--folder", str(path), "--runs", str(runs)]
    root = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        print(f"{reader:8} not measured: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
        return None
    return json.loads(done.stdout.splitlines()[-1])


def show(label: str, result: dict) -> None:
    times = f"{result['median']:7.3f} s ({result['best']:.3f} s), processor {result['processor']:.3f} s"
    print(f"{label:28} {times}, peak {result['peak']:5.0f} MB ({result['before']:.0f} MB)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--large", type=int, help="points of the large files; 10000000 is what the project promises")
    parser.add_argument("--folder", type=Path, help="for the files; default: a temporary one")
    parser.add_argument("--measure", choices=READERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, str(options.folder), options.runs)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "cloud.ply"
        write_file(path, options.points, ascii=False)
        print(f"{options.points} points, median (best) of {options.runs} runs")
        results = {reader: in_own_process(reader, path, options.runs) for _ in range(2) for reader in READERS}
        for reader, result in results.items():
            if result is not None:
                show(reader, result)
        mine, theirs = results["rankqa"], results["open3d"]
        if mine and theirs:
            np.testing.assert_allclose(mine["sums"], theirs["sums"], rtol=1e-3)
            print(f"rankqa takes {mine['median'] / theirs['median']:.2f} x the time of Open3D", end=", ")
            print(f"{mine['processor'] / theirs['processor']:.2f} x its processor time")
        for ascii in (False, True) if options.large else ():
            write_file(path, options.large, ascii=ascii)
            if result := in_own_process("rankqa", path, 0):
                show(f"{options.large} {'ascii' if ascii else 'binary'}", result)


if __name__ == "__main__":
    main()
