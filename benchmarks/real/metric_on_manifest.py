"""SROCC of the full-reference baselines on a manifest: pooled with its interval, and the mean within contents.

python benchmarks/real/metric_on_manifest.py cloud path/to/manifest.csv
"""

import sys

import numpy as np

from rankqa_cli.modalities import get_modality
from rankqa_datasets.manifest import read_manifest
from shared_engine.evaluation import baseline_scores, summarise, summarise_by


def main() -> None:
    modality, path = sys.argv[1:]
    found = baseline_scores(read_manifest(path).stimuli, get_modality(modality).baselines)
    for name, (stimuli, values) in found.items():
        summary = summarise(stimuli, values)
        within = [s["srocc"] for s in summarise_by(stimuli, values, "content").values() if s["srocc"] is not None]
        low, high = summary["intervals"]["srocc"]
        print(f"{name}: pooled SROCC {summary['srocc']:.3f} [{low:.3f}, {high:.3f}] over {summary['n']} stimuli; "
              f"mean within {len(within)} contents {np.mean(within):.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
