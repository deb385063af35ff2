"""Scoring a folder: `rankqa score` beside the plain PyTorch loop that one would write.

    python benchmarks/scoring_speed.py RUN FOLDER [--repeats 3]

The plain loop decodes with Pillow, cuts the same crops and runs the same model, image by image, on all cores. To
reach: 1.3 times its speed on 1,000 JPEGs. Exits with 1 where the scores differ or the figure is missed.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

# As the command line does, before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from PIL import Image, ImageOps

from imgqa.crops import grid_crops
from rankqa_cli.modalities import read_run
from rankqa_cli.scoring import FileScorer
from shared_engine.train import load_run


def plain(model, files, config):
    scores = []
    with torch.no_grad():
        for file in files:
            image = np.array(ImageOps.exif_transpose(Image.open(file)).convert("RGB"))
            crops = grid_crops(image, size=config.input.crop, count=config.input.eval_crops)
            images = crops.permute(0, 3, 1, 2).contiguous().float().div(255)
            scores.append(model({"images": images[None]})["scores"].item())
    return scores


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    kind, config = read_run(args.run)
    files = sorted(f for f in args.folder.iterdir() if f.suffix.lower() in kind.suffixes)
    scorer = FileScorer(args.run, kind, config)
    model = load_run(args.run, kind, config)
    times, results = [], []
    for _ in range(args.repeats):
        pair = []
        for score in (
            lambda: plain(model, files, config),
            lambda: [value for _, value in scorer.scores(files)],
        ):
            begin = time.perf_counter()
            results.append(score())
            pair.append(time.perf_counter() - begin)
        times.append(pair)
    worst = np.abs(np.array(results[0]) - np.array(results[1])).max()
    ratio = statistics.median(a / b for a, b in times)
    loop, ours = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"{len(files)} files: plain loop {loop:.2f} s, ours {ours:.2f} s, ratio {ratio:.2f}; differ by {worst:.1e}")
    sys.exit(0 if ratio >= 1.3 and worst < 1e-4 else 1)


if __name__ == "__main__":
    main()
