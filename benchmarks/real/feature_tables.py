"""Regressors and every loss of the core on published tables of features, on the published folds.

    python benchmarks/real/feature_tables.py DATA --out results.csv [--seeds 10] [--report]

DATA holds tables/folds (scores and folds) and features/{nr3dqa,pointpca2}: 64 statistics of 3D-NSS (no reference) on
SJTU-PCQA and WPC, 40 predictors of PointPCA2 (full reference) on SJTU-PCQA, WPC, M-PCCD and the training part of
BASICS. Scores are joined from the folds, never taken from the feature files, whose own have faults. Rows without
features (the released tables have gaps) are left out of training and test for every method alike.

Methods: support vector regression (RBF, C = 1) and Extra Trees (100 trees), scikit-learn's defaults otherwise; the
network of the recipe feature-mlp, 120 steps of 64 rows for every loss, nothing tuned; the recipe oracle. Results are
appended to the CSV one by one, and what is there is not computed again. `--report` only prints.

The first table gives SROCC as mean over folds and seeds, and its difference from that of the network trained with MSE,
paired within fold and seed, with its corrected resampled t-interval over folds. Then one for each table of features,
with PLCC (of raw scores) and the spread over folds.
"""

import argparse
import csv
import os
import re
import time
from collections import defaultdict
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: a step is too small for threads

import numpy as np
import torch
from cloud_tables import content_and_recipe, read_folds
from scipy import stats

from shared_engine.config_files import read_recipe
from shared_engine.features.mlp import FeatureMLP
from shared_engine.features.regressors import predict_scores
from shared_engine.seeding import seed_torch
from shared_losses import ScoreBank
from shared_losses.loss_table import LOSSES
from shared_losses.objective import Objective, Term

TABLES = {
    "3D-NSS, SJTU": ("nr3dqa/sjtu_features.csv", "sjtu"),
    "3D-NSS, WPC": ("nr3dqa/wpc_features.csv", "wpc"),
    "PointPCA2, SJTU": ("pointpca2/sjtu.csv", "sjtu"),
    "PointPCA2, WPC": ("pointpca2/wpc.csv", "wpc"),
    "PointPCA2, M-PCCD": ("pointpca2/mpccd.csv", "mpccd"),
    "PointPCA2, BASICS train": ("pointpca2/basics_train.csv", "basics"),
}
STEPS, BATCH, RATE = 120, 64, 5e-3
# They compare two views of an item, which a row of numbers does not have, or learn classes.
LEFT_OUT = {"local_manifold", "consistency", "cross_entropy"}
HEADS = {"emd": "levels", "cdf_quantile": "levels", "gaussian_nll": "normal", "thurstone": "normal"}
# It does not know which end is up, so it stands beside an absolute error, with the weights of TReS.
BESIDE = {"relative_ranking": ([Term("mae")], 0.05)}
# ASNA's ranker takes 16 rows and no others; it gets as many rows in all.
BATCHES = {"asna": 16}
WITH_BANK = ("spearman", "plcc", "norm_in_norm", "ranknet")
NETWORK = "feature-mlp, "
LOSS_NAMES = [name for name in LOSSES if name not in LEFT_OUT] + [f"{name} + bank" for name in WITH_BANK]
SEEDLESS = ("recipe oracle", "SVR")
# In this order, so that a run stopped early has compared the most telling ones.
FIRST = ("mse", "spearman", "spearman + bank", "plcc", "ranknet", "norm_in_norm")
LOSS_NAMES = [*FIRST, *(name for name in LOSS_NAMES if name not in FIRST)]
METHODS = [*SEEDLESS, "Extra Trees", *(NETWORK + name for name in LOSS_NAMES)]
# SROCC, on other folds or protocols. Those for PointPCA2 are means over the regressions that pointpca2-python releases
# beside these very features (results/v1.0-stable).
PUBLISHED = {
    "3D-NSS, SJTU": "3D-NSS with SVR: .714 (its paper, unverified).",
    "3D-NSS, WPC": "3D-NSS with SVR: .648 (its paper, unverified), .633 (COPP-Net).",
    "PointPCA2, SJTU": "leave one content out: SVR .679, Extra Trees .201; trained on a score of 8525.",
    "PointPCA2, WPC": "five folds: SVR .856, Extra Trees .894; leave one content out: .871, .900.",
    "PointPCA2, M-PCCD": "five folds: SVR .924, Extra Trees .949; leave one content out: .908, .953.",
    "PointPCA2, BASICS train": "five folds: SVR .878, Extra Trees .902; leave one content out: .897, .894.",
}

MPCCD_NAME = re.compile(r"tmc(\d+)_([^_]+)_.*_geom(\d+)_text\d+_?(.*)\.ply")
CODECS = {"octree-predlift": "Octree-Lifting", "octree-raht": "Octree-RAHT", "trisoup-predlift": "TriSoup-Lifting",
          "trisoup-raht": "TriSoup-RAHT"}  # fmt: skip


def score_name(database: str, name: str) -> str:
    """The name in the score tables of a stimulus in a feature table."""
    if database == "mpccd":
        found = MPCCD_NAME.fullmatch(name)
        assert found, name
        program, content, rate, codec = found.groups()
        return f"{content}_{'VPCC' if program == '2' else CODECS[codec]}_R{rate}.ply"
    if database == "sjtu" and not name.endswith(".ply"):
        return re.sub(r"_?(\d+)$", r"_\1.ply", name)
    if database == "wpc" and "_pqs_" in name:
        return name.removesuffix(".ply").removesuffix("_rounded") + "_rounded.ply"
    return name if name.endswith(".ply") else f"{name}.ply"


def read_features(path: Path, database: str) -> dict[str, list[float]]:
    """Features by the name of the score tables; rows with a gap are left out."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    name = "SIGNAL" if "SIGNAL" in rows[0] else "name"
    columns = [column for column in rows[0] if column and column not in ("SIGNAL", "REF", "SCORE", "name", "mos")]
    found = {}
    for row in rows:
        cells = [row[column] for column in columns]
        if all(cell not in ("", None) and np.isfinite(float(cell)) for cell in cells):
            found[score_name(database, row[name].rstrip("'"))] = [float(cell) for cell in cells]
    return found


def read_table(data: Path, table: str):
    """Folds as (train, test), each names, features and targets; and how many stimuli of the folds have no features."""
    file, database = TABLES[table]
    features = read_features(data / "features" / file, database)
    folds, missing = [], set()
    for parts in read_folds(data / "tables" / "folds" / database):
        kept = [[name for name in part if name in features] for part in parts]
        missing |= {name for part in parts for name in part if name not in features}
        folds.append(
            tuple(
                (names, np.array([features[n] for n in names]), np.array([float(part[n]) for n in names]))
                for names, part in zip(kept, parts, strict=True)
            )
        )
    unknown = features.keys() - {name for train, test in folds for name in (*train[0], *test[0])}
    assert not unknown, f"{table}: features of unknown stimuli, such as {sorted(unknown)[:3]}"
    return folds, len(missing)


def predict(method: str, seeds: list[int], database: str, train, test) -> np.ndarray:
    """Scores (seeds, stimuli) of the test part."""
    names, x, y = train
    if method == "recipe oracle":
        by_recipe = defaultdict(list)
        for name, target in zip(names, y, strict=True):
            by_recipe[content_and_recipe(database, name)[1]].append(target)
        return np.array([[np.mean(by_recipe.get(content_and_recipe(database, n)[1], y)) for n in test[0]]])
    if method.startswith(NETWORK):
        return train_networks(method.removeprefix(NETWORK), seeds, x, y, test[1])
    if method == "SVR":
        return predict_scores("svr", x, y, test[1])[None]
    return np.array([predict_scores("extra-trees", x, y, test[1], seed=seed) for seed in seeds])


def train_networks(loss: str, seeds: list[int], x, y, x_test) -> np.ndarray:
    """The network and optimiser of the recipe, for all seeds side by side: each has its own weights, dropout, batches,
    bank and clipped gradient, so that this equals one training after the other at a fraction of the time.
    """
    name, bank = loss.removesuffix(" + bank"), loss.endswith(" + bank")
    settings = read_recipe("feature-mlp", "shared_engine.features.recipes")["optim"]
    # Standardised, since some losses compare targets with scores as they come.
    z = (y - y.mean()) / y.std()
    inputs, targets = torch.tensor(x, dtype=torch.float32), torch.tensor(z, dtype=torch.float32)
    # Levels from the lowest to the highest training target.
    options = {"low": float(z.min()), "high": float(z.max())} if HEADS.get(name) == "levels" else {}
    models, objectives, shuffles = [], [], []
    for seed in seeds:
        seed_torch(seed, "weights")
        models.append(FeatureMLP(features=x.shape[1], head=HEADS.get(name, "score")))
        models[-1].fit_inputs({"features": row} for row in inputs)
        others, weight = BESIDE.get(name, ([], 1.0))
        terms = [*others, Term(name, weight, use_bank=bank, options=options)]
        banks = ScoreBank(len(y), "table") if bank else None
        objectives.append(Objective(terms, banks, target_location=0.0, target_scale=1.0))
        shuffles.append(torch.Generator().manual_seed(seed))
    parameters, buffers = torch.func.stack_module_state(models)
    score = torch.func.vmap(
        lambda weights, state, batch: torch.func.functional_call(models[0], (weights, state), ({"features": batch},)),
        randomness="different",
    )
    optimizer = torch.optim.AdamW(parameters.values(), RATE, weight_decay=settings["weight_decay"])
    batch = BATCHES.get(name, BATCH)
    steps = STEPS * BATCH // batch
    warmup = steps // 10
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda t: (t + 1) / warmup if t < warmup else 0.5 * (1 + np.cos(np.pi * (t - warmup) / (steps - warmup))),
    )
    torch.manual_seed(seeds[0])
    per_epoch = len(y) // batch
    orders = torch.empty(0)
    for step in range(steps):
        if step % per_epoch == 0:
            orders = torch.stack([torch.randperm(len(y), generator=generator) for generator in shuffles])
        rows = orders[:, step % per_epoch * batch :][:, :batch]
        outputs = score(parameters, buffers, inputs[rows])
        totals = [
            objective(
                outputs["scores"][i],
                targets[rows[i]],
                ids=rows[i],
                outputs={key: value[i] for key, value in outputs.items() if key != "scores"},
            )[0]
            for i, objective in enumerate(objectives)
        ]
        optimizer.zero_grad()
        torch.stack(totals).sum().backward()
        clip_each(list(parameters.values()), settings["clip_norm"])
        optimizer.step()
        scheduler.step()
        for objective in objectives:
            objective.push()
    models[0].eval()
    with torch.no_grad():
        tested = torch.tensor(x_test, dtype=torch.float32).expand(len(seeds), -1, -1)
        return score(parameters, buffers, tested)["scores"].double().numpy()


def clip_each(parameters: list[torch.Tensor], most: float) -> None:
    """Shortens the gradient of each seed, which lies along the first axis, to the norm `most`."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = torch.stack([gradient.flatten(1).square().sum(1) for gradient in gradients]).sum(0).sqrt()
    factor = (most / norm.clamp_min(1e-12)).clamp_max(1.0)
    for gradient in gradients:
        gradient.mul_(factor.view(-1, *[1] * (gradient.dim() - 1)))


FIELDS = ["table", "fold", "method", "seed", "srocc", "plcc", "seconds"]


def compute(data: Path, out: Path, seeds: int) -> None:
    done = {(r["table"], int(r["fold"]), r["method"], int(r["seed"])) for r in read_results(out)}
    tables = {table: read_table(data, table)[0] for table in TABLES}
    jobs = [
        (table, fold, method, [seed for seed in wanted if (table, fold, method, seed) not in done])
        for method in METHODS
        for table, folds in tables.items()
        for fold in range(len(folds))
        for wanted in [range(1 if method in SEEDLESS else seeds)]
    ]
    fresh = not out.exists()
    with out.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(FIELDS)
        for table, fold, method, missing in jobs:
            if not missing:
                continue
            train, test = tables[table][fold]
            started = time.process_time()
            scores = predict(method, missing, TABLES[table][1], train, test)
            seconds = (time.process_time() - started) / len(missing)
            for seed, own in zip(missing, scores, strict=True):
                srocc = stats.spearmanr(own, test[2]).statistic
                plcc = stats.pearsonr(own, test[2]).statistic
                writer.writerow([table, fold, method, seed, f"{srocc:.6f}", f"{plcc:.6f}", f"{seconds:.3f}"])
            file.flush()


def read_results(out: Path) -> list[dict[str, str]]:
    if not out.exists():
        return []
    with out.open(newline="", encoding="utf-8") as file:
        # A line cut short by a kill is computed again.
        return [row for row in csv.DictReader(file) if row["seconds"]]


def report(data: Path, out: Path) -> None:
    results, cpu = defaultdict(dict), 0.0
    for row in read_results(out):
        results[row["table"], row["method"]][int(row["fold"]), int(row["seed"])] = (
            float(row["srocc"]),
            float(row["plcc"]),
        )
        cpu += float(row["seconds"])
    print_joint(results)
    for table in TABLES:
        folds, missing = read_table(data, table)
        stimuli = sum(len(test[0]) for _, test in folds)
        base = results[table, NETWORK + "mse"]
        seeds = min(sum(own == fold for own, _ in base) for fold in range(len(folds)))
        print(
            f"\n**{table}**: {stimuli} stimuli, {len(folds)} folds, {seeds} seeds; {missing} others have no features."
        )
        print(f"Published, {PUBLISHED[table]}\n")
        print("| method | SROCC (sd over folds) | PLCC | SROCC less that of mse [95 %] |\n|---|---|---|---|")
        for method in METHODS:
            values = fold_means(results[table, method])
            if len(values) < len(folds):
                continue
            (srocc, plcc), spread = values.mean(axis=0), values[:, 0].std(ddof=1)
            name = method.removeprefix(NETWORK)
            gain = "" if name == "mse" else difference(results[table, method], base, seedless=method in SEEDLESS)
            print(f"| {name} | {srocc:.3f} ({spread:.3f}) | {plcc:.3f} | {gain} |")
    print(f"\n{cpu / 60:.1f} CPU minutes in all")


def print_joint(results) -> None:
    print("| method | " + " | ".join(TABLES) + " |\n|---|" + "---|" * len(TABLES))
    for method in METHODS:
        cells = [method.removeprefix(NETWORK)]
        for table in TABLES:
            own, base = results[table, method], results[table, NETWORK + "mse"]
            gain = "" if method == NETWORK + "mse" else difference(own, base, seedless=method in SEEDLESS)
            cells.append(f"{fold_means(own)[:, 0].mean():.3f} {gain}".strip() if own else "")
        print("| " + " | ".join(cells) + " |")


def fold_means(results) -> np.ndarray:
    """SROCC and PLCC of each fold that is there (K, 2), as mean over seeds."""
    folds = sorted({fold for fold, _ in results})
    return np.array([np.mean([value for (own, _), value in results.items() if own == fold], axis=0) for fold in folds])


def difference(own, base, *, seedless: bool) -> str:
    """Mean over folds of the difference in SROCC within fold and seed, with its corrected resampled t-interval."""
    if seedless:
        own = {(fold, seed): own[fold, 0] for fold, seed in base}
    gains = fold_means({key: np.subtract(own[key], base[key]) for key in own.keys() & base.keys()})[:, 0]
    # Trainings share most of their data, which a plain t-interval forgets: Nadeau and Bengio, Machine Learning 52
    # (2003), with a test part of 1 / (K - 1) of the training part.
    folds = len(gains)
    half = stats.t.ppf(0.975, folds - 1) * gains.std(ddof=1) * np.sqrt(1 / folds + 1 / (folds - 1))
    return f"{gains.mean():+.3f} [{gains.mean() - half:+.3f}, {gains.mean() + half:+.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--report", action="store_true", help="print what is there and compute nothing")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if not args.report:
        compute(args.data, args.out, args.seeds)
    report(args.data, args.out)


if __name__ == "__main__":
    main()
