"""The Spearman loss is exact at both ends: its limit is SciPy's SROCC, its box gradient a difference of SciPy's SROCC.

Claim 1: as tau falls to 0, 1 - loss becomes scipy.stats.spearmanr for all five kernels, however heavy the ties.
Claim 2: with kernel="box" and normalizer="constant" the gradient of every coordinate is the central difference of
SciPy's SROCC with that score alone moved by +tau and -tau, ties in the targets included.
Claim 3: with `nearest=k` it is the difference with that score moved just past its k-th neighbour above and below (at
the ends: the score itself), over the distance of the two.

Bound: 1e-12 throughout; in claim 3, where the distances may be tiny, relative to the largest gradient entry. Nothing is
tuned: a difference of two coefficients is taken from the whole numbers that SciPy's ranks are, so it has no rounding.

    python benchmarks/losses/limit_and_identity.py [--plot docs/figures/loss-limit-and-identity.svg]
"""

import argparse
import sys

import numpy as np
import torch
from scipy import stats

from shared_losses import spearman_loss
from shared_losses.kernels import KERNELS

BOUND = 1e-12
SIZES = (10, 100, 500, 2000)
CHUNK_ELEMENTS = 2**21


def problem(count, *, seed, score_levels=None, target_levels=None):
    """Correlated normal scores and targets; with levels, rounded to about so many different values."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=count)
    y = x + 0.6 * generator.normal(size=count)

    def tie(values, levels):
        return values if levels is None else np.clip(np.round(values * levels / 4), -levels // 2, levels // 2)

    return tie(x, score_levels), tie(y, target_levels)


def loss_and_gradient(x, y, **options):
    scores = torch.tensor(x, requires_grad=True)
    value = spearman_loss(scores, torch.tensor(y), **options)
    value.backward()
    return value.item(), scores.grad.numpy()


def scipy_differences(up, down, y):
    """SciPy's SROCC for every row of `up` less that of `down`, where no row holds a tie."""
    count = len(y)
    t = np.rint(2 * stats.rankdata(y) - (count + 1)).astype(np.int64)
    norm = 2 * np.sqrt((count**3 - count) / 12) * np.sqrt((t**2).sum())
    differences = np.empty(len(up))
    step = max(1, CHUNK_ELEMENTS // count)
    for begin in range(0, len(up), step):
        rows = slice(begin, begin + step)
        moved = stats.rankdata(up[rows], axis=1) - stats.rankdata(down[rows], axis=1)
        differences[rows] = 2 * (np.rint(moved).astype(np.int64) @ t) / norm
    # The shortcut above is SciPy's coefficient: looked at for one row.
    direct = stats.spearmanr(up[0], y).statistic - stats.spearmanr(down[0], y).statistic
    assert abs(differences[0] - direct) < 1e-13, (differences[0], direct)
    return differences


def moved_by(x, tau):
    return x + tau * np.eye(len(x)), x - tau * np.eye(len(x))


def moved_past_neighbours(x, nearest):
    """Every score moved just past its `nearest`-th neighbour above and below, and the distance of these two."""
    count = len(x)
    order = x.argsort()
    place = np.empty(count, dtype=int)
    place[order] = np.arange(count)
    high, low = x[order[np.minimum(place + nearest, count - 1)]], x[order[np.maximum(place - nearest, 0)]]
    up, down = np.tile(x, (count, 1)), np.tile(x, (count, 1))
    np.fill_diagonal(up, np.where(high == x, x, np.nextafter(high, np.inf)))
    np.fill_diagonal(down, np.where(low == x, x, np.nextafter(low, -np.inf)))
    return up, down, high - low


def limit_errors(kernel):
    """Largest deviation from SciPy over sizes and ties; tau is a thousandth of the smallest gap between scores."""
    worst, cases = 0.0, 0
    for count in SIZES:
        for score_levels in (None, 2, 5, 50):
            for target_levels in (None, 2, 5, 50):
                x, y = problem(count, seed=count, score_levels=score_levels, target_levels=target_levels)
                tau = np.diff(np.unique(x)).min() / 1000
                value, _ = loss_and_gradient(x, y, kernel=kernel, tau=tau)
                worst = max(worst, abs(1 - value - stats.spearmanr(x, y).statistic))
                cases += 1
    return worst, cases


def box_error(count, target_levels, tau):
    x, y = problem(count, seed=count + 1, target_levels=target_levels)
    _, gradient = loss_and_gradient(x, y, tau=tau, normalizer="constant")
    return np.abs(gradient + scipy_differences(*moved_by(x, tau), y) / (2 * tau)).max()


def nearest_error(count, target_levels, nearest):
    x, y = problem(count, seed=count + 2, target_levels=target_levels)
    _, gradient = loss_and_gradient(x, y, nearest=nearest, normalizer="constant")
    up, down, distance = moved_past_neighbours(x, nearest)
    return np.abs(gradient + scipy_differences(up, down, y) / distance).max() / np.abs(gradient).max()


def plot(path):
    import matplotlib.pyplot as plt

    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "rankqa", "font.size": 9, "axes.grid": True})
    plt.rcParams.update({"grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False})
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3.1), layout="constrained")
    x, y = problem(500, seed=3, score_levels=50, target_levels=5)
    gap = np.diff(np.unique(x)).min()
    rho = stats.spearmanr(x, y).statistic
    taus = np.geomspace(10, 0.01, 19)
    for kernel in KERNELS:
        errors = [abs(1 - loss_and_gradient(x, y, kernel=kernel, tau=tau * gap)[0] - rho) for tau in taus]
        left.loglog(taus, np.maximum(errors, 1e-17), label=kernel)
    left.invert_xaxis()
    left.axhline(BOUND, color="0.4", linestyle=":", linewidth=1)
    left.set(xlabel="tau / gap between neighbouring scores", ylabel="|soft rho − SciPy's SROCC|", title="Limit")
    left.legend(fontsize=8, frameon=False)
    x, y = problem(60, seed=61, target_levels=5)
    for tau, colour in ((0.03, "tab:orange"), (0.3, "tab:blue")):
        _, gradient = loss_and_gradient(x, y, tau=tau, normalizer="constant")
        difference = scipy_differences(*moved_by(x, tau), y) / (2 * tau)
        right.plot(difference, -gradient, ".", color=colour, markersize=4, label=f"tau = {tau}")
    right.axline((0, 0), slope=1, color="0.6", linewidth=0.8)
    right.set(xlabel="central difference of SciPy's SROCC", ylabel="gradient of rho", title="Identity, 60 items")
    right.legend(fontsize=8, frameon=False)
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plot", metavar="FILE")
    args = parser.parse_args()
    rows = []
    for kernel in KERNELS:
        worst, cases = limit_errors(kernel)
        rows.append((f"limit, {kernel}", f"{cases} mixes of size and ties", worst))
    for count in SIZES:
        errors = [box_error(count, levels, tau) for levels in (None, 5, 2) for tau in (0.023456, 0.234567, 1.73456)]
        rows.append((f"box gradient, N = {count}", f"{9 * count} coordinates", max(errors)))
    for count in SIZES:
        reaches = [nearest for nearest in (1, 4, 50) if nearest < count]
        errors = [nearest_error(count, levels, nearest) for levels in (None, 5) for nearest in reaches]
        rows.append((f"nearest=k, N = {count}", f"{len(errors) * count} coordinates", max(errors)))
    print("| claim | cases | largest error |\n|---|---|---|")
    for name, cases, error in rows:
        print(f"| {name} | {cases} | {error:.1e} |")
    if args.plot:
        plot(args.plot)
    missed = [f"{name}: {error:.1e} exceeds {BOUND:g}" for name, _, error in rows if not error <= BOUND]
    if missed:
        sys.exit("\n".join(missed))


if __name__ == "__main__":
    main()
