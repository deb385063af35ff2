"""The data and grids of the experiment of docs/findings.md: what a bank is worth at each batch size.

    python benchmarks/real/batch_size_grids.py DATA --out FOLDER [--biq ROOT]
    rankqa ablate FOLDER/sjtu.toml --out FOLDER/sweep        # and wpc, basics, irpc, biq: one folder for all
    rankqa report FOLDER/sweep
    python benchmarks/real/batch_size_grids.py DATA --out FOLDER --report

DATA holds tables/folds and features/pointpca2 (for SJTU-PCQA, WPC and the training part of BASICS: 40 predictors of
PointPCA2 for each cloud, scores and folds as published) and irpc. ROOT is that of BIQ2021, prepared by `rankqa data
prepare biq2021`: 1,000 photographs of its official training part train, 600 of its official test part test, drawn
once.

Each grid: Spearman, GCC, PLCC and Norm-in-Norm with and without bank, MSE beside them; batches of 2, 4, 8, 16, 32; the
learning rate goes with the root of the batch, for every loss alike; a repeat is a seed and, on the tables and on IRPC,
the next of the published folds (IRPC: leave one content out). The last epoch is tested.

The report: SROCC without and with bank, mean over repeats, and the difference, paired within repeats, with its
corrected resampled t-interval over them (BIQ: over seeds on one split).
"""

import argparse
import csv
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from cloud_tables import content_and_recipe, read_folds, write_rows
from feature_tables import TABLES, read_features

from shared_engine.criteria import srocc
from shared_engine.predictions import read_finished_run
from shared_engine.resampled_t_test import resampled_t_test
from shared_engine.run_folder import read_json

FEATURES = {"sjtu": "PointPCA2, SJTU", "wpc": "PointPCA2, WPC", "basics": "PointPCA2, BASICS train"}
LOSSES = ("spearman", "gcc", "plcc", "norm_in_norm")
BATCHES = (2, 4, 8, 16, 32)
TRAIN, TEST = 1000, 600  # photographs of BIQ2021

# What the grids share but for the rate at a batch of 32.
SETTINGS = {
    "sjtu": ("features", "feature-mlp", 3e-3, {"engine.epochs": 12}),
    "wpc": ("features", "feature-mlp", 3e-3, {"engine.epochs": 12}),
    "basics": ("features", "feature-mlp", 3e-3, {"engine.epochs": 12}),
    "irpc": (
        "cloud",
        "demo-cloud",
        2e-3,
        {
            "engine.epochs": 12,
            "model.options.use_colors": False,
            "input.patches": {"size": 1024, "saved": 8, "train": 2, "evaluate": 8},
        },
    ),
    "biq": ("image", "compact-cnn", 2e-3, {"engine.epochs": 6, "input.crop": 224, "input.eval_crops": 4}),
}


def write_features(name: str, data: Path, out: Path) -> int:
    """The manifest with its features, and the folds; how many folds."""
    file, database = TABLES[FEATURES[name]]
    features = read_features(data / "features" / file, database)
    folds = read_folds(data / "tables" / "folds" / database)
    rows = []
    for stimulus, score in {key: value for _, test in folds for key, value in test.items()}.items():
        if stimulus in features:
            content, recipe = content_and_recipe(database, stimulus)
            columns = {f"f{i:02d}": value for i, value in enumerate(features[stimulus])}
            rows.append({"path": stimulus, "target": score, "content": content, "recipe": recipe} | columns)
    write_rows(out / "manifest.csv", rows)
    for k, (train, test) in enumerate(folds):
        parts = dict.fromkeys(train, "train") | dict.fromkeys(test, "test")
        write_rows(out / f"fold_{k}.csv", [{"path": row["path"], "split": parts[row["path"]]} for row in rows])
    return len(folds)


def write_irpc(irpc: Path, out: Path) -> int:
    """The 54 shapes without references, whose D1 each run would compute, and a fold for each content."""
    with (irpc / "geometry.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    write_rows(
        out / "manifest.csv", [{key: row[key] for key in ("path", "target", "content", "recipe")} for row in rows]
    )
    contents = sorted({row["content"] for row in rows})
    for k, content in enumerate(contents):
        parts = ["test" if row["content"] == content else "train" for row in rows]
        paths = [row["path"] for row in rows]
        write_rows(out / f"fold_{k}.csv", [{"path": p, "split": s} for p, s in zip(paths, parts, strict=True)])
    return len(contents)


def write_biq(root: Path, out: Path) -> int:
    """A manifest of some rows with the official parts."""
    with (root / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rng = np.random.default_rng(0)
    drawn = []
    for part, count in (("train", TRAIN), ("test", TEST)):
        own = [row for row in rows if row["split"] == part]
        drawn += [own[i] for i in sorted(rng.permutation(len(own))[:count])]
    write_rows(out / "manifest.csv", drawn)
    write_rows(out / "fold_0.csv", [{"path": row["path"], "split": row["split"]} for row in drawn])
    return 1


def grid(name: str, folder: Path, root: Path | None, folds: int, repeats: int) -> str:
    """Text of the grid file."""
    modality, recipe, rate, settings = SETTINGS[name]
    fixed = {"modality": modality, "recipe": recipe, "data.manifest": str(folder / "manifest.csv")} | settings
    if root is not None:
        fixed["data.root"] = str(root)
    losses = {}
    for loss in LOSSES:
        losses[loss] = {"objective.terms": [{"name": loss}], "objective.bank": False}
        losses[f"{loss} + bank"] = {"objective.terms": [{"name": loss, "bank": True}]}
    losses["mse"] = {"objective.terms": [{"name": "mse"}], "objective.bank": False}
    batches = {str(b): {"engine.batch_size": b, "optim.lr": round(rate * (b / 32) ** 0.5, 6)} for b in BATCHES}
    seeds = {str(k): {"seed": k, "data.split": str(folder / f"fold_{k % folds}.csv")} for k in range(repeats)}
    lines = ['question = "What is a bank worth at each batch size?"', "[fixed]", *toml_lines(fixed)]
    for axis, options in {"repeat": seeds, "database": {name: {}}, "batch": batches, "loss": losses}.items():
        lines += [f"[variants.{axis}]", *toml_lines(options)]
    return "\n".join(lines) + "\n"


def toml_lines(table: dict) -> list[str]:
    return [f"{json.dumps(key)} = {_toml(value)}" for key, value in table.items()]


def _toml(value) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(toml_lines(value)) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


def report(sweep: Path) -> None:
    """Tables of the runs that are there."""
    found: dict[tuple[str, str, str], dict[str, tuple[float, float]]] = defaultdict(dict)
    for run_id, entry in read_json(sweep / "grid.json")["runs"].items():
        folder = sweep / "runs" / run_id
        if (folder / "result.json").exists():
            run, settings = read_finished_run(folder), entry["settings"]
            value = srocc(run.predictions.scores, run.predictions.targets)
            key = settings["database"], settings["loss"], settings["batch"]
            # Constant scores rank nothing: 0, as a coin would on average.
            found[key][settings["repeat"]] = (0.0 if value is None else value, run.test_to_train or 0.0)
    for database in dict.fromkeys(key[0] for key in found):
        folds = len(list((sweep.parent / database).glob("fold_*.csv")))
        print(f"\n**{database}**, {folds} split(s)\n")
        print("| loss | " + " | ".join(f"batch {b}" for b in BATCHES) + " |\n|---|" + "---|" * len(BATCHES))
        rows = {loss: [found[database, loss, str(b)] for b in BATCHES] for loss in (*LOSSES, "mse")}
        for loss, cells in rows.items():
            print(f"| {loss} | " + " | ".join(_mean(cell) for cell in cells) + " |")
            if loss != "mse":
                banked = [found[database, f"{loss} + bank", str(b)] for b in BATCHES]
                print("| + bank | " + " | ".join(_mean(cell) for cell in banked) + " |")
                gains = [_gain(cell, own, folds) for cell, own in zip(banked, cells, strict=True)]
                print("| gain | " + " | ".join(gains) + " |")


def _mean(cell: dict[str, tuple[float, float]]) -> str:
    values = [value for value, _ in cell.values()]
    return f"{np.mean(values):.3f} (n {len(values)})" if values else ""


def _gain(banked: dict[str, tuple[float, float]], own: dict[str, tuple[float, float]], folds: int) -> str:
    common = banked.keys() & own.keys()
    if len(common) < 2:
        return ""
    ratio = float(np.mean([own[key][1] for key in common])) if folds > 1 else 0.0
    test = resampled_t_test([banked[key][0] - own[key][0] for key in common], test_to_train=ratio)
    mark = "**" if test.low * test.high > 0 else ""
    return f"{mark}{test.mean:+.3f}{mark} [{test.low:+.3f}, {test.high:+.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--biq", type=Path)
    parser.add_argument("--report", action="store_true", help="print what FOLDER/sweep holds")
    args = parser.parse_args()
    out = args.out.resolve()
    if args.report:
        report(out / "sweep")
        return
    for name in FEATURES:
        folds = write_features(name, args.data, out / name)
        (out / f"{name}.toml").write_text(grid(name, out / name, None, folds, repeats=10))
    folds = write_irpc(args.data / "irpc", out / "irpc")
    (out / "irpc.toml").write_text(grid("irpc", out / "irpc", (args.data / "irpc").resolve(), folds, repeats=3))
    if args.biq is not None:
        write_biq(args.biq, out / "biq")
        (out / "biq.toml").write_text(grid("biq", out / "biq", args.biq.resolve(), 1, repeats=3))


if __name__ == "__main__":
    main()
