"""What the score bank does to the gradient: no bias, less variance, and so a sharp bandwidth becomes usable.

A population of 6,000 normal scores and targets stands for the training set; each draw takes B = 16 of them as the batch
and M others as the bank. The gradient of the batch is compared with that of the whole population at the same tau
(times 6,000 / B, as the loss is rescaled); cosines are pooled over the draws, slopes are those of a least-squares line.

(a) With the bank the rescaled gradient is unbiased (constant normaliser).    Bound: slope 1 +- 0.01, M = 1,024.
(b) The bank turns a noisy direction into the population's, whatever the kernel. Bound: cosine 0.99 at M = 1,024.
(c) rows="all" against rows="batch", constant and soft normaliser, by correlation.             No bound: it is a choice.
(d) Random drift of the bank's scores does not matter up to 0.2 standard deviations. Bound: cosine 0.99 up to 0.2.
(e) The bank makes a sharp bandwidth usable.           Bound: a higher cosine than without, at every bandwidth.

    python benchmarks/losses/bank_gradient.py [--draws 3000] [--plot docs/figures/loss-bank-gradient.svg]
"""

import argparse
import math
import sys

import torch

from shared_losses import spearman_loss

POPULATION = 6000
BATCH = 16
BANDWIDTHS = {"box": 0.5, "triangle": 0.7, "laplace": 0.3, "logistic": 0.2, "normal": 0.3}  # tau / sd
BANKS = (0, 64, 256, 1024, 4096)
DRIFTS = (0, 0.05, 0.1, 0.2, 0.5, 1.0)
SHARPNESS = (0.01, 0.03, 0.1, 0.3, 1.0)


def population(correlation, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x, noise = torch.randn(2, POPULATION, generator=generator, dtype=torch.float64)
    return x, correlation * x + math.sqrt(1 - correlation**2) * noise


def gradient(scores, targets, bank_scores, bank_targets, **options):
    scores = scores.clone().requires_grad_()
    spearman_loss(scores, targets, bank_scores=bank_scores, bank_targets=bank_targets, **options).backward()
    return scores.grad


def compare(x, y, bank, draws, *, drift=0.0, seed=1, **options):
    """Slope of the batch gradients on the population's, its standard error, and their pooled cosine."""
    generator = torch.Generator().manual_seed(seed)
    # Over the whole population the two kinds of rows are the same.
    whole = gradient(x, y, None, None, **{**options, "rows": "all"}) * (len(x) / BATCH)
    found, wanted = [], []
    for _ in range(draws):
        chosen = torch.randperm(len(x), generator=generator)[: BATCH + bank]
        own, others = chosen[:BATCH], chosen[BATCH:]
        stale = x[others] + drift * torch.randn(bank, generator=generator, dtype=torch.float64)
        found.append(gradient(x[own], y[own], stale, y[others], **options))
        wanted.append(whole[own])
    g, w = torch.cat(found), torch.cat(wanted)
    slope, cosine = (g @ w) / (w @ w), (g @ w) / (g.norm() * w.norm())
    # Entries of one draw are not independent: the error of the slope comes from the sums over each draw.
    residual = ((g - slope * w) * w).view(draws, BATCH).sum(1)
    return slope.item(), (residual.norm() / (w @ w)).item(), cosine.item()


def table(title, head, rows):
    print(f"\n{title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(
            "| " + " | ".join(value if isinstance(value, str) else f"{value:.3f}" for value in row) + " |", flush=True
        )


def unbiased(draws):
    x, y = population(0.9)
    tau = BANDWIDTHS["box"]
    rows = []
    for bank in (64, 1024):
        for rescale in (True, False):
            slope, error, _ = compare(x, y, bank, draws, tau=tau, normalizer="constant", rescale=rescale)
            rows.append((bank, rescale, slope, error))
    return rows


def by_bank(draws):
    x, y = population(0.9)
    return {
        kernel: [
            compare(x, y, bank, draws, kernel=kernel, tau=share * x.std().item(), normalizer="constant")[2]
            for bank in BANKS
        ]
        for kernel, share in BANDWIDTHS.items()
    }


def by_rows(draws):
    found = []
    for correlation in (0.5, 0.9, 0.98):
        x, y = population(correlation)
        for normalizer in ("constant", "soft"):
            options = {"tau": BANDWIDTHS["box"], "normalizer": normalizer}
            alone = compare(x, y, 0, draws, **options)[2]
            cosines = [compare(x, y, 1024, draws, rows=rows, **options)[2] for rows in ("all", "batch")]
            found.append((f"{correlation}", normalizer, alone, *cosines))
    return found


def by_drift(draws):
    x, y = population(0.9)
    options = {"kernel": "triangle", "tau": BANDWIDTHS["triangle"], "normalizer": "constant"}
    return [compare(x, y, 1024, draws, drift=drift, **options)[2] for drift in DRIFTS]


def by_sharpness(draws):
    x, y = population(0.9)
    return {
        bank: [compare(x, y, bank, draws, tau=tau, normalizer="constant")[2] for tau in SHARPNESS] for bank in (0, 1024)
    }


def plot(path, banks, drifts, sharpness):
    import matplotlib.pyplot as plt

    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "rankqa", "font.size": 9, "axes.grid": True})
    plt.rcParams.update({"grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False})
    figure, (first, second, third) = plt.subplots(1, 3, figsize=(9, 2.9), layout="constrained")
    for kernel, cosines in banks.items():
        first.plot(range(len(BANKS)), cosines, "o-", markersize=3, linewidth=1, label=kernel)
    first.set_xticks(range(len(BANKS)), [f"{bank:,}" for bank in BANKS])
    first.set(xlabel="rows in the bank", ylabel="cosine to the population gradient", title="Bank", ylim=(0.7, 1.01))
    second.plot(DRIFTS, drifts, "o-", markersize=3, linewidth=1)
    second.set(xlabel="random drift of the bank / sd of scores", title="Stale bank of 1,024", ylim=(0.7, 1.01))
    for bank, cosines in sharpness.items():
        label = f"bank of {bank:,}" if bank else "no bank"
        third.semilogx(SHARPNESS, cosines, "o-", markersize=3, linewidth=1, label=label)
    third.set(xlabel="tau / sd of scores", title="Sharpness", ylim=(0, 1.04))
    for axes in (first, third):
        axes.legend(fontsize=8, frameon=False, loc="lower right")
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=3000, help="for the slope; a tenth of them for each cosine")
    parser.add_argument("--plot", metavar="FILE")
    args = parser.parse_args()
    few = max(args.draws // 10, 20)
    missed = []

    slopes = unbiased(args.draws)
    rows = [(f"{bank:,}", "yes" if on else "no", f"{s:.4f} ± {e:.4f}") for bank, on, s, e in slopes]
    table(f"(a) Slope on the population gradient, {args.draws} draws, box, tau 0.5 sd", ("M", "rescale", "slope"), rows)
    (slope,) = [slope for bank, rescale, slope, _ in slopes if bank == 1024 and rescale]
    if not abs(slope - 1) <= 0.01:
        missed.append(f"(a) slope {slope:.4f} at M = 1,024")

    banks = by_bank(few)
    head = ("kernel, tau / sd", *(f"M = {bank:,}" for bank in BANKS))
    rows = [(f"{kernel}, {BANDWIDTHS[kernel]}", *cosines) for kernel, cosines in banks.items()]
    table(f"(b) Cosine by bank, {few} draws", head, rows)
    missed += [f"(b) {kernel}: {c[BANKS.index(1024)]:.4f}" for kernel, c in banks.items() if not c[3] >= 0.99]

    head = ("correlation", "normalizer", "no bank", 'M = 1,024, rows="all"', 'M = 1,024, rows="batch"')
    table("(c) Cosine by rows, box, tau 0.5 sd", head, by_rows(few))

    drifts = by_drift(few)
    rows = [(f"{drift:g}", cosine) for drift, cosine in zip(DRIFTS, drifts, strict=True)]
    table("(d) Cosine by drift of a bank of 1,024, triangle, tau 0.7 sd", ("drift / sd", "cosine"), rows)
    harmless = [(drift, cosine) for drift, cosine in zip(DRIFTS, drifts, strict=True) if drift <= 0.2]
    missed += [f"(d) drift {drift}: {cosine:.4f}" for drift, cosine in harmless if not cosine >= 0.99]

    sharpness = by_sharpness(few)
    rows = [("none" if bank == 0 else f"{bank:,}", *cosines) for bank, cosines in sharpness.items()]
    table("(e) Cosine by sharpness, box", ("bank", *(f"tau / sd = {tau:g}" for tau in SHARPNESS)), rows)
    pairs = zip(SHARPNESS, *sharpness.values(), strict=True)
    missed += [f"(e) tau {tau}: {alone:.3f} without, {c:.3f} with" for tau, alone, c in pairs if not c > alone]

    if args.plot:
        plot(args.plot, banks, drifts, sharpness)
    if missed:
        sys.exit("missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
