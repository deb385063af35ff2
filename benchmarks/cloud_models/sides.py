"""Two sides of a comparison, each in a process of its own, taking turns."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path


def measure(step, runs):
    """Best CPU and wall seconds of `runs` steps after one to warm up, and the peak memory of this process so far."""
    cpu, wall = [], []
    for _ in range(runs + 1):
        times = time.process_time(), time.perf_counter()
        step()
        cpu.append(time.process_time() - times[0])
        wall.append(time.perf_counter() - times[1])
    # Not `ru_maxrss`, which a process takes over from the one that started it.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {"cpu": min(cpu[1:]), "wall": min(wall[1:]), "peak": int(status["VmHWM"].split()[0]) / 1024}


def take_turns(script, arguments, names, *, turns, threads):
    """Runs `script --only NAME`, which prints the JSON of `measure`, for each name, `turns` times; the best of each."""
    # One thread makes CPU seconds comparable; PASSIVE as the command line sets it.
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
    environment |= dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), str(threads))
    measured = {name: [] for name in names}
    for _ in range(turns):
        for name in names:
            command = [sys.executable, script, *arguments, "--only", name]
            done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
            measured[name].append(json.loads(done.stdout.splitlines()[-1]))
    return {name: {key: min(run[key] for run in runs) for key in runs[0]} for name, runs in measured.items()}


def print_table(best, batch, *, ours):
    """Prints one line a side, with how many times as long as ours it takes; returns those ratios in CPU seconds."""
    print(f"{'':42s}  CPU s   wall s  clouds/s  peak MB  / ours (CPU, wall)")
    for name, run in best.items():
        ratios = [run[key] / best[ours][key] for key in ("cpu", "wall")]
        print(
            f"{name:42s} {run['cpu']:6.3f}  {run['wall']:6.3f}  {batch / run['wall']:8.2f}  {run['peak']:7.0f}  "
            f"{ratios[0]:.2f}, {ratios[1]:.2f}"
        )
    return {name: run["cpu"] / best[ours]["cpu"] for name, run in best.items()}
