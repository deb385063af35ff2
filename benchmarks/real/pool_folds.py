"""Leave-one-content-out results from finished runs: SROCC of each fold, their mean, and the pooled predictions.

    python benchmarks/real/pool_folds.py runs/geo1 runs/geo2 ...

The pooled row joins raw scores of different models; the recipes anchor them to the scale of the targets.
"""

import sys
from pathlib import Path

import numpy as np

from shared_engine.criteria import srocc
from shared_engine.intervals import bootstrap_intervals
from shared_engine.run_folder import RunFolder, read_csv, read_json


def main() -> None:
    rows, folds, seconds, memory = [], [], 0.0, 0.0
    for path in sys.argv[1:]:
        folder = RunFolder(Path(path))
        tested = [row for row in read_csv(folder.predictions) if row["split"] == "test"]
        result = read_json(folder.result)
        seconds, memory = seconds + result["seconds"], max(memory, result["peak_memory_mb"])
        value = srocc(*(np.array([float(row[key]) for row in tested]) for key in ("score", "target")))
        baselines = {name: summary["srocc"] for name, summary in result["baselines"].items()}
        print(f"{path}: {', '.join(sorted({row['content'] for row in tested}))}, {len(tested)} stimuli, "
              f"SROCC {value if value is None else round(value, 3)}, baselines {baselines}")  # fmt: skip
        rows += tested
        folds.append(value)
    scores, targets = (np.array([float(row[key]) for row in rows]) for key in ("score", "target"))
    intervals = bootstrap_intervals(scores, targets, [row["content"] for row in rows])
    defined = [value for value in folds if value is not None]
    print(f"mean over {len(defined)} folds {np.mean(defined):.3f} (sd {np.std(defined, ddof=1):.3f})")
    low, high = intervals.srocc or (float("nan"), float("nan"))
    print(f"pooled SROCC {srocc(scores, targets):.3f} [{low:.3f}, {high:.3f}] over {len(rows)} stimuli, "
          f"{len({row['content'] for row in rows})} contents")  # fmt: skip
    print(f"{seconds / 60:.1f} minutes in all, peak memory {memory:.0f} MB")


if __name__ == "__main__":
    main()
