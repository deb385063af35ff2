"""Negative controls: what the loss and its bank do in training must go away where it should.

A small network learns a nonlinear quality from 16 features with batches of 8, by spearman_loss alone: 256 training
items with noisy targets, 2,000 held-out ones, 30 epochs. The same initial weights and batches under

    bank               table bank of the training items, as in Objective
    no bank            the batch of 8 alone
    aligned            bank.view(align_scores=...), as with Objective(align=True)
    stale, k epochs    the bank's scores are those of k epochs ago (of the first epoch, while there are fewer)
    trained stranger   the bank's scores come from another, trained model (other weights, other scale)
    untrained stranger the bank's scores come from a model with random weights
    shuffled targets   the bank's targets belong to other items (one permutation for the run)

Bounds: (1) a pseudo-loss without graph, 1 - scipy.stats.spearmanr on detached scores, is refused by an Objective in
training, as are detached scores; (2) shuffled targets hurt: the 95 % interval of the paired difference in held-out
SROCC against the right bank lies below zero. The rest is reported as it comes out, with a plain word on its size, after
10 epochs, at the end and on the training items: 256 items are soon learnt by heart, and what fits them better need not
generalise better. This is one synthetic task, and says nothing about others.

    python benchmarks/losses/negative_controls.py [--seeds 12] [--plot docs/figures/loss-negative-controls.svg]
"""

import argparse
import math
import sys
from unittest import mock

import numpy as np
import torch
from scipy import stats
from torch import nn

from shared_losses import LOSSES, Objective, ScoreBank, Term, spearman_loss

TRAINING, HELD_OUT, FEATURES = 256, 2000, 16
BATCH, EPOCHS, EARLY, RATE = 8, 30, 10, 0.01
STALE = (1, 3, 10)
CONDITIONS = (
    "bank",
    "no bank",
    "aligned",
    *(f"stale, {epochs} epochs" for epochs in STALE),
    "trained stranger",
    "untrained stranger",
    "shuffled targets",
)


def task(seed):
    """Training and held-out (features, targets); the targets carry noise and a heavy upper tail."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(FEATURES, 4, generator=generator) / FEATURES**0.5

    def items(count):
        features = torch.randn(count, FEATURES, generator=generator)
        hidden = features @ first
        quality = hidden[:, 0] + (2 * hidden[:, 1]).tanh() + hidden[:, 2] * hidden[:, 3]
        return features, (quality + 0.3 * torch.randn(count, generator=generator)).exp()

    return items(TRAINING), items(HELD_OUT)


def network(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(FEATURES, 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0))


def train(condition, seed, epochs=EPOCHS, stranger=None):
    """Trains a network; returns SROCC held out after EARLY epochs, held out at the end, and on the training items."""
    (features, targets), (new_features, new_targets) = task(seed)
    model = network(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(TRAINING, generator=generator)
    bank, past = ScoreBank(TRAINING), []  # `past` holds the bank's scores at the end of every epoch
    for epoch in range(epochs):
        for ids in torch.randperm(TRAINING, generator=generator).split(BATCH):
            scores = model(features[ids])
            others = torch.ones(TRAINING, dtype=torch.bool)
            others[ids] = False
            if condition in ("bank", "aligned", "shuffled targets"):
                held = bank.view(exclude_ids=ids, align_scores=scores.detach() if condition == "aligned" else None)
                others &= bank.pushed_at >= 0
                rows = held.scores, (targets[shuffled] if condition == "shuffled targets" else targets)[others]
            elif condition.startswith("stale") and past:
                epochs_ago = int(condition.split()[1])
                rows = past[max(0, epoch - epochs_ago)][others], targets[others]
            elif condition.endswith("stranger"):
                rows = stranger[others], targets[others]
            else:
                rows = None, None
            loss = spearman_loss(scores, targets[ids], bank_scores=rows[0], bank_targets=rows[1])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            bank.push(scores.detach(), targets[ids], ids)
        past.append(bank.scores.clone())
        if epoch + 1 == min(EARLY, epochs):
            early = rank_correlation(model, new_features, new_targets)
    return early, rank_correlation(model, new_features, new_targets), rank_correlation(model, features, targets)


@torch.no_grad()
def rank_correlation(model, features, targets):
    return stats.spearmanr(model(features), targets).statistic


def run_seed(seed, conditions=CONDITIONS, epochs=EPOCHS):
    found = {}
    (features, _), _ = task(seed)
    for condition in conditions:
        stranger = None
        if condition == "untrained stranger":
            stranger = network(1000 + seed)(features).detach()
        elif condition == "trained stranger":  # trained on the same items from other weights
            stranger = trained_stranger(seed, epochs)
        found[condition] = train(condition, seed, epochs, stranger)
    return found


def trained_stranger(seed, epochs):
    """Scores of a model trained from other weights on the same items, by squared error on log targets."""
    (features, targets), _ = task(seed)
    model = network(1000 + seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    for _ in range(epochs * 4):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(features), targets.log()).backward()
        optimizer.step()
    return model(features).detach()


def interval(values):
    """Mean and half the width of its 95 % interval (Student's t)."""
    values = np.asarray(values)
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    return values.mean(), half


def detached_refusals():
    """What the Objective says to a pseudo-loss, and to detached scores; None where it says nothing."""

    def scipy_loss(scores, targets, **_):
        return torch.tensor(1 - stats.spearmanr(scores.detach(), targets).statistic, dtype=torch.float32)

    def message(objective, scores):
        try:
            objective(scores, torch.arange(8.0))
        except ValueError as error:
            return str(error)
        return None

    scores = torch.randn(8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    with mock.patch.dict(LOSSES, {"scipy": scipy_loss}):
        pseudo = message(Objective([Term("scipy")]), scores)
    return {"1 - SciPy's rho": pseudo, "detached scores": message(Objective([Term("spearman")]), scores.detach())}


def in_words(difference, half):
    if abs(difference) <= half:
        return "not told from zero"
    size = "small" if abs(difference) < 0.01 else "clear" if abs(difference) < 0.05 else "large"
    return f"{size}, {'worse' if difference < 0 else 'better'}"


def plot(path, found):
    import matplotlib.pyplot as plt

    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "rankqa", "font.size": 9, "axes.grid": True})
    plt.rcParams.update({"grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplots(figsize=(5.6, 3.1), layout="constrained")
    names = [name for name in CONDITIONS if name != "bank"]
    for place, name in enumerate(names):
        mean, half = interval((found[name] - found["bank"])[:, 1])
        axes.errorbar(mean, place, xerr=half, fmt="o", color="C0", markersize=4, capsize=3)
    axes.axvline(0, color="0.4", linewidth=1)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xlabel="held-out SROCC less that with the right bank (95 % interval)")
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--plot", metavar="FILE")
    args = parser.parse_args()
    missed = []
    for what, message in detached_refusals().items():
        print(f"{what}: {'accepted' if message is None else 'refused: ' + message}\n")
        if message is None or "no gradient" not in message:
            missed.append(f"{what}: not refused, or not for its missing gradient")
    runs = [run_seed(seed) for seed in range(args.seeds)]
    # By condition: an array (seeds, 3) of the three coefficients.
    found = {condition: np.array([run[condition] for run in runs]) for condition in CONDITIONS}
    print(f"SROCC, {args.seeds} seeds, mean ± half of the 95 % interval; differences are paired by seed.\n")
    print(f"| condition | held out | less `bank` | in words | after {EARLY} epochs | training items |")
    print("|---|---|---|---|---|---|")
    for condition, values in found.items():
        mean, half = interval(values[:, 1])
        early, end, fit = (interval(column) for column in (values - found["bank"]).T)
        cells = [f"{difference:+.4f} ± {margin:.4f}" for difference, margin in (end, early, fit)]
        cells.insert(1, in_words(*end))
        if condition == "bank":
            cells = ["", "", *(f"{values[:, column].mean():.4f}" for column in (0, 2))]
        print(f"| {condition} | {mean:.4f} ± {half:.4f} | {' | '.join(cells)} |")
    if args.plot:
        plot(args.plot, found)
    difference, margin = interval((found["shuffled targets"] - found["bank"])[:, 1])
    if not difference + margin < 0:
        missed.append(f"shuffled targets do not hurt: {difference:+.4f} ± {margin:.4f}")
    if missed:
        sys.exit("\n".join(missed))


if __name__ == "__main__":
    main()
