"""How long `rankqa table` takes over many runs.

    python benchmarks/table_speed.py [--runs 10000]

Writes that many run folders (config.json as a run writes it, result.json with intervals and a baseline; no other file,
since no other is read) into a temporary folder: eight losses, batches of 2 to 32, with and without bank, the rest
seeds; one in a hundred unfinished. Then runs the command three times and prints wall and processor seconds of the
fastest, start of Python included; and again with the grid.json of a sweep beside them.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from itertools import cycle, product
from pathlib import Path

from shared_engine.config import RunConfig

LOSSES = ("spearman", "mse", "mae", "plcc", "gcc", "norm_in_norm", "fidelity", "smooth_l1")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    count = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        settings = cycle(product(LOSSES, (2, 4, 8, 16, 32), (False, True)))
        index = {}
        for i, (loss, batch, bank) in zip(range(count), settings, strict=False):
            run = Path(folder) / "runs" / f"{i:06x}"
            run.mkdir(parents=True)
            own = config(loss, batch, bank, i // 80)
            (run / "config.json").write_text(json.dumps(own, indent=2))
            labels = {"loss": loss, "bank": str(bank), "engine.batch_size": batch, "seed": i // 80}
            index[run.name] = {"settings": labels, "modality": "image", "config": own}
            if i % 100 != 99:
                (run / "result.json").write_text(json.dumps(result(i), indent=2))
        size = sum(file.stat().st_size for file in Path(folder).rglob("*.json"))
        print(f"{count} runs, {size / 1e6:.1f} MB of JSON")
        command = [sys.executable, "-c", "from rankqa_cli.main import main; main()", "table", folder]
        print_speed("default keys", command)
        print_speed("--by engine.batch_size", [*command, "--by", "engine.batch_size"])
        (Path(folder) / "grid.json").write_text(json.dumps({"question": "", "runs": index}, indent=2))
        print_speed("axes of a sweep", command)


def config(loss, batch, bank, seed):
    return RunConfig(
        modality="image",
        recipe="compact-cnn",
        seed=seed,
        data={"manifest": "/data/manifest.csv"},
        model={"name": "compact-cnn", "options": {"widths": [32, 64, 128]}},
        input={"crop": 192, "eval_crops": 5, "small_images": "mirror"},
        objective={"terms": [{"name": loss, "bank": bank}], "bank": {"kind": "table"} if bank else None},
        engine={"epochs": 8, "batch_size": batch},
    ).model_dump(mode="json")


def result(i):
    rng = random.Random(i)

    def summary():
        criteria = {name: rng.random() for name in ("srocc", "krocc", "plcc", "plcc_mapped", "rmse", "outlier_ratio")}
        intervals = {name: [rng.random(), rng.random()] for name in ("srocc", "krocc", "plcc", "plcc_mapped", "rmse")}
        return {"n": 2000, **criteria, "contents": 400, "intervals": intervals, "srocc_bonett_wright": [0.1, 0.9]}

    return {
        "status": "finished",
        "parts": {"validation": summary(), "test": summary()},
        "baselines": {"psnr": summary()},
        "calibration": {"form": "logistic4", "parameters": [rng.random() for _ in range(4)]},
        "split_digest": "0" * 64,
        "seconds": rng.random(),
    }


def print_speed(name, command):
    wall, processor, rows = min(measure(command) for _ in range(3))
    print(f"{name}: {rows} lines, {wall:.2f} s, {processor:.2f} processor seconds")


def measure(command):
    """Wall seconds, processor seconds and lines of output."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, processor, len(done.stdout.splitlines())


if __name__ == "__main__":
    main()
