"""The fast path equals all pairs: fuzzing spearman_loss against path="dense" and against the definition.

Claim: on random problems (N from 1, ties, constants, scales 1e-30 to 1e30, float16 to float64, outliers, all kernels,
both normalisers, both kinds of rows, with and without a bank, bandwidth by window, tau or nearest) value and gradient
of path="auto" equal those of path="dense" and of `naive`, all pairs in NumPy float64, which shares no code with the
package. For half of the problems the smooth kernels are summed by cells, as they are for many rows.

Bound: 1e-9 for float64, relative to the largest gradient entry (values: absolute). For other types, whose gradient is
rounded to the type of the scores, and a value to float32: one rounding more.

An exact gradient may be far smaller than the terms that cancel in it, as where the order is perfect and the bandwidth
wide; then every float64 computation, the reference included, holds noise of those terms' size. The error is
therefore taken relative to the largest entry or 1e-4 of the largest sum of absolute terms, whichever is more; the table
tells for how many problems that was the latter. Where a pair of scores lies on the very edge of the box, whose density
jumps there, rounding decides on which side; and with rows="batch" and the soft normaliser rho is 0 / 0 where all batch
rows sit at the mean rank. Such problems are skipped and counted.

    python benchmarks/losses/fast_equals_dense.py [--problems 4000] [--plot docs/figures/loss-fast-equals-dense.svg]
"""

import argparse
import math
import sys
from dataclasses import dataclass, field
from unittest import mock

import numpy as np
import torch
from scipy import special, stats

from shared_losses import spearman_loss
from shared_losses.kernels import KERNELS

BOUND = 1e-9
DTYPES = (torch.float64, torch.float64, torch.float32, torch.bfloat16, torch.float16)
SPREADS = {"box": 1 / 3**0.5, "triangle": 1 / 6**0.5, "laplace": 2**0.5, "logistic": math.pi / 3**0.5, "normal": 1.0}
ODD = {  # K(u) - 1/2
    "box": lambda u: np.clip(u / 2, -0.5, 0.5),
    "triangle": lambda u: np.where(abs(u) < 1, u - u * abs(u) / 2, np.sign(u) / 2),
    "laplace": lambda u: -np.sign(u) * np.expm1(-abs(u)) / 2,
    "logistic": lambda u: np.tanh(u / 2) / 2,
    "normal": lambda u: special.erf(u / 2**0.5) / 2,
}
DENSITY = {
    "box": lambda u: (abs(u) <= 1) / 2,
    "triangle": lambda u: np.clip(1 - abs(u), 0, None),
    "laplace": lambda u: np.exp(-abs(u)) / 2,
    "logistic": lambda u: special.expit(u) * special.expit(-u),
    "normal": lambda u: np.exp(-u * u / 2) / (2 * np.pi) ** 0.5,
}


@dataclass
class Problem:
    x: torch.Tensor  # scores of batch and bank
    y: torch.Tensor
    batch: int
    cells: bool  # force the smooth kernels' way for many rows
    options: dict = field(default_factory=dict)


def random_problem(generator, kernel):
    def one_of(*choices):
        return choices[generator.integers(len(choices))]

    largest = one_of(3, 10, 40, 150, 150, 400)
    batch = int(generator.integers(1, largest + 1))
    bank = one_of(0, int(generator.integers(1, 2 * largest + 1)))
    count = batch + bank
    dtype = one_of(*DTYPES)
    x = generator.normal(size=count) if one_of(0, 1) else generator.standard_t(1.5, size=count)
    x = one_of(x, x, np.round(2 * x) / 2, np.where(x > 0, 1.0, -1.0), np.full(count, 0.3))
    x[generator.integers(count)] *= one_of(1, 1, 30, 1e6) if dtype != torch.float16 else one_of(1, 30)
    x = x * (one_of(0.01, 1) if dtype == torch.float16 else one_of(1e-30, 1e-10, 1, 1, 1, 1e10, 1e30))
    x = torch.tensor(x).to(dtype)
    y = generator.normal(size=count) + 0.5 * stats.rankdata(x.double().numpy()) / count
    y = one_of(y, y, np.round(y), np.where(y > 0, 1.0, 0.0), np.full(count, 2.0))
    y = torch.tensor(y * one_of(1e-30, 1, 1, 1e30)).to(one_of(torch.float64, torch.float32))
    spread = float(x.double().quantile(0.75) - x.double().quantile(0.25)) or 1.0
    bandwidth = one_of(
        {"window": one_of(0.01, 0.1, 0.5, 1.0)},
        {"tau": spread * float(np.exp(generator.uniform(-7, 5)))},
        {"nearest": one_of(1, 3, 20)},
    )
    normalizer, rows = one_of("soft", "constant"), one_of("all", "batch")
    options = {"kernel": kernel, "normalizer": normalizer, "rows": rows, "rescale": one_of(True, False), **bandwidth}
    return Problem(x, y, batch, cells=bool(generator.integers(2)), options=options)


def naive(problem):
    """Value, gradient and largest sum of absolute terms by the definition; None where rounding decides."""
    x, batch, options = problem.x.double().numpy(), problem.batch, problem.options
    count, kernel, target_ranks = len(x), options["kernel"], stats.rankdata(problem.y.numpy())
    if x.min() == x.max() or target_ranks.min() == target_ranks.max():
        return 1.0, np.zeros(batch), 0.0
    at, tau, slope = naive_coordinates(x, options)
    t = target_ranks - (count + 1) / 2
    u = (at[:, None] - at) / tau
    if kernel == "box" and (abs(abs(u) - 1) < 1e-7).any():
        return None
    r = ODD[kernel](u).sum(1)
    summed = np.arange(count) < (batch if options["rows"] == "batch" else count)
    r_sum, t_sum = np.where(summed, r, 0), np.where(summed, t, 0)
    t_norm = np.linalg.norm(t_sum)
    if options["normalizer"] == "soft":
        r_norm = np.linalg.norm(r_sum)
        if t_norm == 0:
            return 1.0, np.zeros(batch), 0.0
        if r_norm <= 1e-9 * abs(r).max():
            return None
        rho = r_sum @ t_sum / (r_norm * t_norm)
        v, size = (t_sum / t_norm - rho * r_sum / r_norm) / r_norm, (abs(t_sum) / t_norm + abs(r_sum) / r_norm) / r_norm
    else:
        norm = math.sqrt((count**3 - count) / 12) * np.linalg.norm(t) * summed.sum() / count
        rho = r_sum @ t_sum / norm
        v, size = t_sum / norm, abs(t_sum) / norm
    factor = slope[:batch] / tau * (count / batch if options["rescale"] and options["rows"] == "all" else 1)
    density = DENSITY[kernel](u[:batch])
    gradient = -factor * (density * (v[:batch, None] - v)).sum(1)
    return 1 - rho, gradient, (factor * (density * (size[:batch, None] + size)).sum(1)).max()


def naive_coordinates(x, options):
    """What the kernel sees, the bandwidth, and how fast a coordinate moves with its score."""
    count, ordered = len(x), np.sort(x)
    if "tau" in options:
        return x, options["tau"], np.ones(count)
    ratio = SPREADS["box"] / SPREADS[options["kernel"]]
    if "window" in options:
        wanted = max(round(options["window"] * count), 8)
        held = min(wanted, count - 1)
        spans = np.sort(ordered[held:] - ordered[: count - held])
        median = spans[(len(spans) - 1) // 2]
        span = median if median > 0 else spans[spans > 0].min(initial=ordered[-1] - ordered[0])
        return x, span * wanted / held / 2 * ratio, np.ones(count)
    reach = options["nearest"] + 0.25
    ranks = stats.rankdata(x)
    slope = np.empty(count)
    for i in range(count):
        near = x[abs(ranks - ranks[i]) <= reach]
        # Where ties fill the window, the next value on that side counts.
        below, above = x[x < x[i]], x[x > x[i]]
        low = min(near.min(), below.max(initial=-np.inf) if len(below) else x[i])
        high = max(near.max(), above.min(initial=np.inf) if len(above) else x[i])
        slope[i] = 2 * reach / (high - low)
    return ranks, reach * ratio, slope


def run(problem, path):
    batch = problem.batch
    scores = problem.x[:batch].clone().requires_grad_()
    bank = {}
    if len(problem.x) > batch:
        bank = {"bank_scores": problem.x[batch:], "bank_targets": problem.y[batch:]}
    rows = 0 if problem.cells and path == "auto" else KERNELS["normal"].pairwise_rows
    with (
        mock.patch.object(KERNELS["logistic"], "pairwise_rows", rows),
        mock.patch.object(KERNELS["normal"], "pairwise_rows", rows),
    ):
        value = spearman_loss(scores, problem.y[:batch], path=path, **bank, **problem.options)
    value.backward()
    return value.item(), scores.grad


def errors_of(problem):
    """Errors of the fast path against the definition and against path="dense", after one rounding for lower types.

    Returns None if rounding decides, else (against naive, against dense, whether terms cancel).
    """
    reference = naive(problem)
    if reference is None:
        return None
    value, gradient, terms = reference
    limit = torch.finfo(problem.x.dtype)
    largest = abs(gradient).max(initial=0)
    scale = max(largest, 1e-4 * terms)
    (fast_value, fast), (dense_value, dense) = run(problem, "auto"), run(problem, "dense")
    expected = np.clip(gradient, limit.min, limit.max)
    rounding = 0.0 if problem.x.dtype == torch.float64 else limit.eps
    value_rounding = 0.0 if problem.x.dtype == torch.float64 else 1.2e-7  # half a unit of float32 in 1 to 2

    def worst(found, wanted, found_value, wanted_value):
        # Beyond the rounding of an entry, and the absolute rounding among the smallest numbers of its type.
        slack = rounding * abs(wanted) + (limit.smallest_normal * limit.eps if rounding else 0)
        beyond = (abs(found - wanted) - slack).max(initial=0)
        relative = 0.0 if beyond <= 0 else beyond / scale if scale > 0 else math.inf
        return max(relative, abs(found_value - wanted_value) - value_rounding, 0.0)

    found = fast.double().numpy()
    against_naive = worst(found, expected, fast_value, value)
    against_dense = worst(found, dense.double().numpy(), fast_value, dense_value)
    if not (np.isfinite(found).all() and math.isfinite(fast_value)):
        against_naive = math.inf
    return against_naive, against_dense, scale > largest


def plot(path, errors):
    import matplotlib.pyplot as plt

    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "rankqa", "font.size": 9, "axes.grid": True})
    plt.rcParams.update({"grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplots(figsize=(5.2, 3.1), layout="constrained")
    for kernel, values in errors.items():
        ordered = np.sort(np.maximum(values, 1e-17))
        share = np.arange(1, len(ordered) + 1) / len(ordered)
        kept = np.unique(np.linspace(0, len(ordered) - 1, 120).astype(int))
        axes.step(ordered[kept], share[kept], where="post", label=kernel)
    axes.axvline(BOUND, color="0.4", linestyle=":", linewidth=1)
    axes.set(xscale="log", xlabel="relative error against all pairs, float64", ylabel="share of the problems")
    axes.legend(fontsize=8, frameon=False, loc=(0.6, 0.05))
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=4000, help="for each kernel")
    parser.add_argument("--plot", metavar="FILE")
    args = parser.parse_args()
    print("| kernel | problems | skipped | terms cancel | float64 to naive | float64 to dense | other types to naive |")
    print("|---|---|---|---|---|---|---|")
    missed, exact = [], {}
    for number, kernel in enumerate(KERNELS):
        generator = np.random.default_rng(number)
        skipped = cancelling = 0
        found = {True: [(0.0, 0.0)], False: [(0.0, 0.0)]}  # by whether the scores are float64
        for index in range(args.problems):
            problem = random_problem(generator, kernel)
            try:
                errors = errors_of(problem)
            except ArithmeticError as error:
                missed.append(f"{kernel}, problem {index}: {error!r}, B = {problem.batch}, {problem.options}")
                continue
            if errors is None:
                skipped += 1
                continue
            cancelling += errors[2]
            found[problem.x.dtype == torch.float64].append(errors[:2])
            if not max(errors[:2]) <= BOUND:
                missed.append(
                    f"{kernel}, problem {index}: {max(errors[:2]):.1e}, B = {problem.batch}, N = {len(problem.x)},"
                    f" {problem.x.dtype}, {problem.options}"
                )
        double, other = np.array(found[True]).T, np.array(found[False]).T
        exact[kernel] = double[0]
        print(
            f"| {kernel} | {args.problems} | {skipped} | {cancelling} | {double[0].max():.1e} | {double[1].max():.1e}"
            f" | {other[0].max():.1e} |",
            flush=True,
        )
    if args.plot:
        plot(args.plot, exact)
    if missed:
        sys.exit(f"{len(missed)} problems exceed {BOUND:g} or break:\n" + "\n".join(missed[:20]))


if __name__ == "__main__":
    main()
