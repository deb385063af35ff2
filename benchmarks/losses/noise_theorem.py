"""With the constant normaliser the soft rho is the expected hard SROCC under independent noise on every score.

Claim: for a kernel K that is the distribution function of the difference of two noises,

    normal:   normal noise of standard deviation tau / sqrt(2)      laplace:  exponential noise of scale tau
    triangle: uniform noise of width tau                            logistic: Gumbel noise of scale tau

1 - spearman_loss(scores, targets, kernel=..., tau=..., normalizer="constant") is the mean of SciPy's SROCC over noisy
scores, for any tau, ties in scores and targets included. (No noise has the box as the density of its difference.)

Bound: every soft rho within 4 standard errors of a Monte Carlo of 200,000 draws. The 28 z-values should look like
draws of a standard normal; their root mean square is printed too.

    python benchmarks/losses/noise_theorem.py [--draws 200000] [--plot docs/figures/loss-noise-theorem.svg]
"""

import argparse
import math
import sys

import numpy as np
import torch
from scipy import stats

from shared_losses import spearman_loss

BOUND = 4  # standard errors
TAUS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
NOISES = {
    "normal": lambda generator, shape, tau: generator.normal(0, tau / math.sqrt(2), shape),
    "laplace": lambda generator, shape, tau: generator.exponential(tau, shape),
    "triangle": lambda generator, shape, tau: generator.uniform(0, tau, shape),
    "logistic": lambda generator, shape, tau: generator.gumbel(0, tau, shape),
}
CHUNK_DRAWS = 20_000


def problem(count=40, seed=0):
    """Scores with some ties, targets on five levels."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=count)
    y = np.round(1.5 * (x + 0.5 * generator.normal(size=count)))
    x[:6] = np.round(x[:6])
    return x, y


def soft_rho(x, y, kernel, tau):
    loss = spearman_loss(torch.tensor(x), torch.tensor(y), kernel=kernel, tau=tau, normalizer="constant")
    return 1 - loss.item()


def hard_rhos(x, y, noise, tau, draws, generator):
    """SciPy's SROCC under fresh noise, `draws` times: Pearson's correlation of SciPy's ranks, many rows at once."""
    t = stats.rankdata(y) - (len(y) + 1) / 2
    norm = np.sqrt((len(x) ** 3 - len(x)) / 12) * np.linalg.norm(t)  # noisy scores have no ties
    rhos = np.empty(draws)
    for begin in range(0, draws, CHUNK_DRAWS):
        noisy = x + noise(generator, (min(CHUNK_DRAWS, draws - begin), len(x)), tau)
        rhos[begin : begin + len(noisy)] = stats.rankdata(noisy, axis=1) @ t / norm
        assert abs(rhos[begin] - stats.spearmanr(noisy[0], y).statistic) < 1e-12
    return rhos


def compare(x, y, draws, seed=1):
    """(kernel, tau, soft rho, mean hard rho, its standard error) for every kernel and tau."""
    generator = np.random.default_rng(seed)
    rows = []
    for kernel, noise in NOISES.items():
        for tau in TAUS:
            rhos = hard_rhos(x, y, noise, tau, draws, generator)
            rows.append((kernel, tau, soft_rho(x, y, kernel, tau), rhos.mean(), rhos.std(ddof=1) / math.sqrt(draws)))
    return rows


def plot(path, x, y, rows):
    import matplotlib.pyplot as plt

    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "rankqa", "font.size": 9, "axes.grid": True})
    plt.rcParams.update({"grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False})
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3.1), layout="constrained", width_ratios=(3, 2))
    grid = np.geomspace(TAUS[0], TAUS[-1], 40)
    for number, kernel in enumerate(NOISES):
        own = [row for row in rows if row[0] == kernel]
        colour = f"C{number}"
        left.semilogx(grid, [soft_rho(x, y, kernel, tau) for tau in grid], color=colour, linewidth=1)
        taus, soft, mean, error = zip(*[row[1:] for row in own], strict=True)
        left.errorbar(taus, mean, yerr=[4 * e for e in error], fmt="o", markersize=3.5, color=colour, label=kernel)
        z = (np.array(soft) - mean) / error
        right.semilogx(np.array(taus) * 1.08 ** (number - 1.5), z, "o", markersize=3.5, color=colour)
    left.set(xlabel="tau", ylabel="SROCC", title="Soft rho (line), mean hard rho under noise (dots)")
    left.legend(fontsize=8, frameon=False)
    right.axhspan(-2, 2, color="0.93", zorder=0)
    for side in (-BOUND, BOUND):
        right.axhline(side, color="0.4", linestyle=":", linewidth=1)
    right.set(xlabel="tau", ylabel="difference / standard error", ylim=(-4.5, 4.5), title="Difference")
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200_000)
    parser.add_argument("--plot", metavar="FILE")
    args = parser.parse_args()
    x, y = problem()
    print(f"{len(x)} items, hard SROCC {stats.spearmanr(x, y).statistic:.4f}, {args.draws} draws\n")
    rows = compare(x, y, args.draws)
    print("| kernel | tau | soft rho | mean hard rho | standard error | z |\n|---|---|---|---|---|---|")
    for kernel, tau, soft, mean, error in rows:
        print(f"| {kernel} | {tau:g} | {soft:.6f} | {mean:.6f} | {error:.6f} | {(soft - mean) / error:+.2f} |")
    z = np.array([(soft - mean) / error for _, _, soft, mean, error in rows])
    print(f"\nroot mean square of z: {math.sqrt((z**2).mean()):.2f}, largest {abs(z).max():.2f}")
    if args.plot:
        plot(args.plot, x, y, rows)
    missed = [f"{row[0]}, tau {row[1]:g}: z = {v:.2f}" for row, v in zip(rows, z, strict=True) if not abs(v) <= BOUND]
    if missed:
        sys.exit("beyond 4 standard errors: " + "; ".join(missed))


if __name__ == "__main__":
    main()
