"""Networks on the shapes of IRPC, leave one content out: losses, from scratch and after ladders, as grids.

    python benchmarks/real/irpc_networks.py IRPC --out FOLDER            # manifest, folds, ladders, two grids
    rankqa ablate FOLDER/ladders.toml --out FOLDER/ladders --slots 2     # pretraining without opinions
    python benchmarks/real/irpc_networks.py IRPC --out FOLDER            # a third grid, which begins there
    rankqa ablate FOLDER/scratch.toml --out FOLDER/sweep --slots 2
    rankqa ablate FOLDER/pretrained.toml --out FOLDER/sweep --slots 2
    python benchmarks/real/irpc_networks.py IRPC --out FOLDER --report

IRPC holds geometry.csv: 54 shapes without colour, 6 contents, 3 codecs at 3 rates. Each run trains on five contents and
is tested on the sixth at its last epoch. Ladders are made of the references, three types of distortion at six levels;
a run begins with weights from the ladders of its own five training contents: it has seen nothing of the sixth.

The report: SROCC within the content left out, mean over the six folds of the mean over seeds, and the deviation over
folds; the differences from MSE and from the same start without ladders, paired within folds, with corrected resampled
t-intervals of 95 %; and the pooled SROCC of the scores, each calibrated on its training part, with its interval over
contents (mean over seeds).
"""

import argparse
import csv
import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from batch_size_grids import toml_lines
from cloud_tables import write_rows

from pcqa.ladder_set import build_ladder_set
from rankqa_cli.modalities import get_config_type
from rankqa_datasets.manifest import read_manifest
from rankqa_datasets.split import Split, folds_by_content, write_split
from shared_engine.ablation.grid import expand, read_grid
from shared_engine.criteria import srocc
from shared_engine.cross_validation import cross_validate
from shared_engine.fold_runs import read_fold_run
from shared_engine.resampled_t_test import resampled_t_test
from shared_engine.run_folder import read_csv, read_json

SEEDS = range(5)
FOLDS = 6
LADDER_TYPES = ("gpcc_like_geometry", "sjtu_geometry_noise", "sjtu_down_sampling")
NETWORKS = {
    "pointnet2": {
        "recipe": "demo-cloud",
        "model.options.use_colors": False,
        "input.patches": {"size": 1024, "saved": 8, "train": 2, "evaluate": 8},
        "engine.batch_size": 5,
        "engine.epochs": 12,
    },
    "dgcnn": {
        "recipe": "dgcnn-small",
        "input.patches": {"size": 256, "saved": 8, "train": 2, "evaluate": 8},
        "engine.batch_size": 5,
        "engine.epochs": 12,
    },
    "multiview": {
        "recipe": "multiview",
        "input.views": {"size": 128},
        "engine.batch_size": 5,
        "engine.epochs": 12,
    },
}
"""The shipped recipes on smaller inputs, so that all fits on two cores; nothing was tuned on the scores."""
BANK = {"kind": "table"}
LOSSES = {
    "mse": {"objective.terms": [{"name": "mse"}], "objective.bank": False},
    "plcc": {"objective.terms": [{"name": "plcc"}], "objective.bank": False},
    "mm-pcqa": {"objective.preset": "mm_pcqa", "objective.terms": [], "objective.bank": False},
    "spearman + bank": {"objective.terms": [{"name": "spearman", "bank": True}], "objective.bank": BANK},
}
"""MM-PCQA's is the squared error and its hinge on pairs."""
LADDER_OBJECTIVE = {
    "objective": {
        "within": ["content", "recipe"],
        "terms": [{"name": "spearman"}, {"name": "listmle", "weight": 0.1}],
        "bank": False,
    },
    "engine.batch_size": 14,
    "engine.epochs": 6,
}


def prepare(irpc: Path, out: Path) -> list[str]:
    """Manifest, folds and ladders; the content that each fold tests."""
    manifest = out / "manifest.csv"
    if not manifest.exists():
        with (irpc / "geometry.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        # Without references, which no network here reads: D1 of each test part would be computed in every run.
        keys = ("path", "target", "content", "votes", "recipe")
        write_rows(manifest, [{key: row[key] for key in keys} for row in rows])
        originals = out / "originals"
        originals.mkdir()
        for reference in irpc.glob("geometry/*_reference.ply"):
            (originals / f"{reference.stem.removesuffix('_reference')}.ply").symlink_to(reference.resolve())
    build_ladder_set(out / "originals", out / "rungs", types=LADDER_TYPES)
    stimuli = read_manifest(manifest, root=irpc).stimuli
    rungs = read_manifest(out / "rungs" / "manifest.csv").stimuli
    tested = []
    for k, split in enumerate(folds_by_content(stimuli, folds=FOLDS)):
        write_split(split, out / f"fold_{k}.csv")
        (content,) = {s.content for s in stimuli if split.parts[s.id] == "test"}
        tested.append(content)
        parts = {s.id: "test" if s.content == content else "train" for s in rungs}
        write_split(Split(parts), out / f"rungs_{k}.csv")
    return tested


def write_grid(path: Path, question: str, fixed: dict, axes: dict[str, dict]) -> None:
    lines = [f"question = {json.dumps(question)}", "[fixed]", *toml_lines({"modality": "cloud"} | fixed)]
    for axis, options in axes.items():
        lines += [f"[variants.{axis}]", *toml_lines(options)]
    path.write_text("\n".join(lines) + "\n")


def write_grids(irpc: Path, out: Path) -> None:
    networks = {name: dict(settings) for name, settings in NETWORKS.items()}
    ladders = {"data.manifest": str(out / "rungs" / "manifest.csv")}
    folds = {str(k): {"data.split": str(out / f"rungs_{k}.csv")} for k in range(FOLDS)}
    ordered = {name: settings | LADDER_OBJECTIVE for name, settings in networks.items()}
    write_grid(
        out / "ladders.toml", "Are ladders of an unseen content in order?", ladders, {"network": ordered, "fold": folds}
    )
    rated = {"data.manifest": str(out / "manifest.csv"), "data.root": str(irpc.resolve())}
    seeds = {str(seed): {"seed": seed} for seed in SEEDS}
    folds = {str(k): {"data.split": str(out / f"fold_{k}.csv")} for k in range(FOLDS)}
    axes = {"seed": seeds, "network": networks, "fold": folds, "start": {"scratch": {}}, "loss": LOSSES}
    question = "Which loss ranks shapes of a content it has not seen?"
    write_grid(out / "scratch.toml", question, rated, axes)
    begun = {}
    for run in expand(read_grid(out / "ladders.toml"), get_config_type):
        folder = out / "ladders" / "runs" / run.id
        if (folder / "result.json").exists():
            begun[run.settings["network"], run.settings["fold"]] = folder
    if len(begun) == FOLDS * len(NETWORKS):
        pairs = {
            f"{name} {k}": networks[name] | {"data.split": str(out / f"fold_{k}.csv"), "model.init": str(folder)}
            for (name, k), folder in begun.items()
        }
        axes = {"seed": seeds, "network_and_fold": pairs, "start": {"ladders": {}}, "loss": LOSSES}
        write_grid(out / "pretrained.toml", question, rated, axes)


def report(out: Path) -> None:
    index = read_json(out / "sweep" / "grid.json")["runs"]
    groups = defaultdict(list)
    for run_id, entry in index.items():
        folder = out / "sweep" / "runs" / run_id
        if (folder / "result.json").exists():
            settings = entry["settings"]
            network = settings.get("network") or settings["network_and_fold"].split()[0]
            groups[network, settings["start"], settings["loss"]].append(read_fold_run(folder))
    titles = (
        "network",
        "start",
        "loss",
        "SROCC within a content",
        "less that of mse",
        "less that from scratch",
        "pooled",
    )
    print(f"| {' | '.join(titles)} |", f"{'|---' * len(titles)}|", sep="\n")
    found = {key: cross_validate(whole_seeds(runs))[0] for key, runs in groups.items()}
    for (network, start, loss), one in found.items():
        spread, pooled = one.spread["srocc"], one.pooled["calibrated"]
        low, high = pooled.srocc_interval or (float("nan"), float("nan"))
        print(
            f"| {network} | {start} | {loss} | {spread.mean:.3f} (sd {spread.sd:.3f}) "
            f"| {'' if loss == 'mse' else difference(one, found[network, start, 'mse'])} "
            f"| {'' if start == 'scratch' else difference(one, found[network, 'scratch', loss])} "
            f"| {pooled.srocc:.3f} [{low:.3f}, {high:.3f}] |"
        )
    ladders = [read_fold_run(path.parent) for path in (out / "ladders").glob("runs/*/result.json")]
    if len(ladders) < FOLDS * len(NETWORKS):
        return
    print(f"\n{len(ladders)} runs on ladders; SROCC of the rungs of the content left out, within each ladder:")
    for name in NETWORKS:
        own = [run for run in ladders if run.config["recipe"] == NETWORKS[name]["recipe"]]
        print(f"- {name}: {np.mean([ladder_srocc(run) for run in own]):.3f}")


def difference(one, other) -> str:
    """Paired over the contents left out, with its corrected resampled t-interval."""
    ours, theirs = fold_values(one), fold_values(other)
    test = resampled_t_test([ours[content] - theirs[content] for content in ours], test_to_train=1 / (FOLDS - 1))
    return f"{test.mean:+.3f} [{test.low:+.3f}, {test.high:+.3f}]"


def whole_seeds(runs: list) -> list:
    """Those of seeds that have all folds: a sweep that was stopped may have begun another."""
    counts = Counter(run.finished.seed for run in runs)
    return [run for run in runs if counts[run.finished.seed] == FOLDS]


def fold_values(one) -> dict[str, float]:
    return {fold.contents[0]: fold.values["srocc"] for fold in one.folds}


def ladder_srocc(run) -> float:
    """Mean over the ladders of a test part."""
    ladders = defaultdict(list)
    for row in read_csv(run.finished.folder / "predictions.csv"):
        if row["split"] == "test" and row["recipe"] != "pristine":
            ladders[row["content"], row["recipe"]].append((float(row["score"]), float(row["target"])))
    return float(np.mean([srocc(*np.array(rungs).T) for rungs in ladders.values()]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("irpc", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--report", action="store_true")
    args = parser.parse_args()
    out = args.out.resolve()
    if args.report:
        report(out)
        return
    out.mkdir(parents=True, exist_ok=True)
    print("folds test", ", ".join(prepare(args.irpc, out)))
    write_grids(args.irpc, out)


if __name__ == "__main__":
    main()
