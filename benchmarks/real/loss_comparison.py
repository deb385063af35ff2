"""Losses of the core against each other on real photographs, everything else equal.

    python benchmarks/real/loss_comparison.py MANIFEST --out FOLDER [--root FOLDER] [--jobs 2]

MANIFEST is that of BIQ2021 (`rankqa data prepare biq2021`). Trains the compact network on 2,400 photographs drawn from
the official training part, watches 400 others of it as validation part, and evaluates the last epoch once on the
2,000 photographs of the official test part: seven objectives, batches of 8 and of 32, five seeds. Runs that are there
already are read, so the script can be stopped and started again.

Prints, for each batch size: SROCC (mean over seeds); its difference from MSE with the same seed, with a 95 %
t-interval over seeds and, in brackets, one over test photographs (paired bootstrap of the mean over seeds); the epoch
at which the validation PLCC passes 95 % of its final value.
"""

import argparse
import csv
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from pathlib import Path

# As the command line does, before torch is imported; a run is one thread, and runs go side by side.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from scipy import stats

BANK = {"kind": "table"}
OBJECTIVES = {
    "mse": {"terms": [{"name": "mse"}]},
    "mae": {"terms": [{"name": "mae"}]},
    "plcc": {"terms": [{"name": "plcc"}]},
    "norm_in_norm": {"terms": [{"name": "norm_in_norm", "options": {"p": 1, "q": 2}}]},
    "gcc": {"terms": [{"name": "gcc"}]},
    "spearman": {"terms": [{"name": "spearman"}]},
    "spearman + bank": {"terms": [{"name": "spearman", "bank": True}], "bank": BANK},
}
# The rate goes with the root of the batch, for every loss alike.
RATES = {8: 1e-3, 32: 2e-3}
SEEDS = range(5)
EPOCHS, TRAIN, VALIDATION = 8, 2400, 400


def draw_manifest(source, out):
    """Writes the rows that are used; a part of the official training part becomes the validation part."""
    with source.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    order = np.random.default_rng(0).permutation([i for i, row in enumerate(rows) if row["split"] == "train"])
    part = dict.fromkeys(order[:TRAIN], "train") | dict.fromkeys(order[TRAIN : TRAIN + VALIDATION], "validation")
    part |= {i: "test" for i, row in enumerate(rows) if row["split"] == "test"}
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows[i] | {"split": part[i]} for i in sorted(part))


def train_one(job):
    name, batch, seed, manifest, root, out = job
    folder = out / f"{name.replace(' + ', '-')}-{batch}-{seed}"
    if (folder / "result.json").exists():
        return
    from imgqa.modality import IMAGE
    from shared_engine.config_files import read_recipe, resolve_config
    from shared_engine.train import train

    recipe = read_recipe("compact-cnn", IMAGE.recipes)
    del recipe["objective"]
    settings = {
        "modality": "image",
        "seed": seed,
        "data": {"manifest": str(manifest), "root": str(root)},
        "input": {"crop": 192, "small_images": "mirror"},
        "objective": OBJECTIVES[name],
        "optim": {"lr": RATES[batch]},
        "engine": {"epochs": EPOCHS, "batch_size": batch},
    }
    config = resolve_config(IMAGE.config_type, [recipe, settings])
    resume = (folder / "config.json").exists()
    train(config, IMAGE, folder, cache=out / "cache", resume=resume, report=lambda _: None)


def read_predictions(folder):
    with (folder / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    return (np.array([float(row[key]) for row in rows]) for key in ("score", "target"))


def epochs_to_converge(folder):
    with (folder / "log.csv").open(newline="", encoding="utf-8") as file:
        values = [float(row["validation_plcc"]) for row in csv.DictReader(file)]
    return next(epoch for epoch, value in enumerate(values, start=1) if value >= 0.95 * values[-1])


def srocc_of_resamples(scores, targets, draws):
    """(R,) SROCC in each resample; ranks within the whole part, which differs from those of the resample by O(1/N)."""
    x, y = (stats.rankdata(values)[draws] for values in (scores, targets))
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    return (x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))


def report(out):
    for batch in RATES:
        values, resamples, converged = {}, {}, {}
        for name in OBJECTIVES:
            folders = [out / f"{name.replace(' + ', '-')}-{batch}-{seed}" for seed in SEEDS]
            folders = [folder for folder in folders if (folder / "result.json").exists()]
            if len(folders) < len(SEEDS):
                print(f"batch {batch}, {name}: {len(folders)} of {len(SEEDS)} runs are there")
                continue
            pairs = [tuple(read_predictions(folder)) for folder in folders]
            draws = np.random.default_rng(0).integers(len(pairs[0][0]), size=(1000, len(pairs[0][0])))
            values[name] = np.array([stats.spearmanr(*pair).statistic for pair in pairs])
            resamples[name] = np.mean([srocc_of_resamples(*pair, draws) for pair in pairs], axis=0)
            converged[name] = [epochs_to_converge(folder) for folder in folders]
        print(f"\nbatch {batch}\n")
        print("| loss | SROCC, mean of 5 seeds (sd) | less MSE, over seeds [over photographs] | epochs to 95 % |")
        print("|---|---|---|---|")
        for name, own in values.items():
            gain = "" if name == "mse" or "mse" not in values else difference(own, values["mse"], name, resamples)
            print(f"| {name} | {own.mean():.4f} ({own.std(ddof=1):.4f}) | {gain} | {np.mean(converged[name]):.1f} |")
        if {"spearman", "spearman + bank"} <= set(values):
            pair = values["spearman + bank"], values["spearman"]
            print(f"\nbank: {difference(*pair, 'spearman + bank', resamples, base='spearman')}")


def difference(own, other, name, resamples, base="mse"):
    paired = own - other
    half = stats.t.ppf(0.975, len(paired) - 1) * stats.sem(paired)
    low, high = np.quantile(resamples[name] - resamples[base], [0.025, 0.975])
    return f"{paired.mean():+.4f} ± {half:.4f} [{low:+.4f}, {high:+.4f}]"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    if not args.manifest.exists():
        print(f"skipped: no {args.manifest}; github.com/nisarahmedrana/BIQ2021, then rankqa data prepare biq2021")
        return
    args.out.mkdir(parents=True, exist_ok=True)
    manifest = args.out / "manifest.csv"
    draw_manifest(args.manifest, manifest)
    root = (args.root or args.manifest.parent).resolve()
    # Seed by seed, so that a comparison stopped early is one of fewer seeds.
    jobs = [(name, batch, seed, manifest, root, args.out) for seed, batch, name in product(SEEDS, RATES, OBJECTIVES)]
    with ProcessPoolExecutor(args.jobs, mp_context=get_context("spawn")) as pool:
        for done, _ in enumerate(pool.map(train_one, jobs), start=1):
            print(f"{done} of {len(jobs)} runs", file=sys.stderr)
    report(args.out)


if __name__ == "__main__":
    main()
