"""The loss core beside other programs, on the same inputs: time, and gradients where the definitions agree.

    python benchmarks/losses/peers.py [--threads 2] [--repeats 7]

Peers written here from their formulas: the naive pairwise sigmoid, GMC-IQA's loss as published (all pairs of all
rows), the losses of IQA-PyTorch. Peers that are used where they are installed: torchsort (0.1.10 builds from source
with `pip install --no-build-isolation`, without a CUDA compiler on the path) and google-research/fast-soft-sort.
To reach: at 4,096 rows at least 50 times faster than the naive pairwise sigmoid. Exits with 1 where a gradient differs
or the figure is missed.
"""

import argparse
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from scipy import stats

from shared_engine.loss_benchmark import peak_bytes, time_pairs
from shared_losses import (
    gcc_loss,
    midrank,
    norm_in_norm_loss,
    pairwise_hinge_loss,
    permutahedron_loss,
    permutahedron_rank,
    plcc_loss,
    spearman_loss,
)

TAU = 0.1


@dataclass(frozen=True)
class Case:
    """A peer and our loss; `tolerance` for their gradients where the definitions agree, `least` times faster."""

    name: str
    rows: int
    peer: Callable
    ours: Callable
    tolerance: float | None = None
    least: float | None = None


def pearson(a, b):
    a, b = a - a.mean(), b - b.mean()
    return (a @ b) / (a.norm() * b.norm())


def naive_sigmoid(x, y):
    ranks = torch.sigmoid((x[:, None] - x) / TAU).sum(1)
    return 1 - pearson(ranks, torch.as_tensor(stats.rankdata(y)).to(x))


def published_gcc(x, y):
    def ranks(values):
        z = (values - values.mean()) / values.std()
        return (0.5 * (1 + torch.erf((z[:, None] - z) / 2**0.5))).sum(1)

    return 0.5 * (1 - pearson(x, y)) + 0.5 * (1 - pearson(ranks(x), ranks(y))) + (x - y).square().mean()


def pyiqa_plcc(x, y):
    return (1 - pearson(x, y)) / 2


def pyiqa_norm_in_norm(x, y):
    a, b = ((v - v.mean()) / ((v - v.mean()).norm() + 1e-8) for v in (x, y))
    return (a - b).abs().sum() / (2 * len(x) ** 0.5)


def pyiqa_rank(x, y):
    hinge = torch.relu((x[:, None] - x) * torch.sign(y - y[:, None]))
    return hinge.mean() / (1 + hinge.detach().max())


def torchsort_correlation(x, y, strength):
    import torchsort

    ranks = torchsort.soft_rank(x[None], regularization_strength=strength)[0]
    return 1 - pearson(ranks, midrank(y).to(x))


def gradient(loss, x, y):
    scores = x.clone().requires_grad_()
    loss(scores, y).backward()
    return scores.grad


def naive_twin(x, y):
    return spearman_loss(x, y, kernel="logistic", tau=TAU)


def torchsort_cases():
    for rows, strength in ((4096, 1e-3), (65_536, 1e-4)):
        peer = partial(torchsort_correlation, strength=strength)
        name = f"torchsort, strength {strength:g}"
        yield Case(name, rows, peer, partial(permutahedron_loss, strength=strength), tolerance=1e-3)
        yield Case(f"{name}, ours with the box kernel", rows, peer, spearman_loss)


CASES = [
    Case("naive pairwise sigmoid", 4096, naive_sigmoid, naive_twin, tolerance=1e-9),
    Case("naive pairwise sigmoid, ours with the box kernel", 4096, naive_sigmoid, spearman_loss, least=50),
    Case("GMC-IQA as published", 816, published_gcc, gcc_loss, tolerance=1e-9),
    Case("GMC-IQA as published", 4096, published_gcc, gcc_loss, tolerance=1e-9),
    Case("IQA-PyTorch PLCC", 4096, pyiqa_plcc, lambda x, y: plcc_loss(x, y) / 2, tolerance=1e-9),
    Case("IQA-PyTorch Norm-in-Norm", 4096, pyiqa_norm_in_norm, norm_in_norm_loss, tolerance=1e-9),
    Case("IQA-PyTorch rank", 4096, pyiqa_rank, partial(pairwise_hinge_loss, form="pyiqa"), tolerance=1e-9),
]


def compare(case, repeats):
    """Prints one row; returns what misses its figure."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(case.rows, generator=generator)
    y = x + torch.randn(case.rows, generator=generator)

    def peer():
        gradient(case.peer, x, y)

    def ours():
        gradient(case.ours, x, y)

    peer_seconds, _ = time_pairs(lambda: None, peer, repeats=repeats, device="cpu")
    own_seconds, ratio = time_pairs(peer, ours, repeats=repeats, device="cpu")
    missed, difference = [], "other definition"
    if case.tolerance is not None:
        theirs, mine = (gradient(loss, x.double(), y.double()) for loss in (case.peer, case.ours))
        worst = ((theirs - mine).abs().max() / theirs.abs().max()).item()
        difference = f"{worst:.1e}"
        if worst > case.tolerance:
            missed.append(f"{case.name}: gradients differ by {worst:.1e}")
    if case.least is not None and 1 / ratio < case.least:
        missed.append(f"{case.name}: {1 / ratio:.0f} times faster, at least {case.least}")
    memory = [f"{peak_bytes(step) / 2**20:.3g}" for step in (peer, ours)]
    times = [f"{peer_seconds * 1e3:.2f}", f"{own_seconds * 1e3:.2f}", f"**{1 / ratio:.1f}**"]
    print("| " + " | ".join([case.name, f"{case.rows:,}", *times, *memory, difference]) + " |")
    return missed


def compare_ranks():
    """Soft ranks of fast-soft-sort against ours, both regularisations; returns what differs."""
    from fast_soft_sort.numpy_ops import soft_rank

    rng = np.random.default_rng(0)
    missed = []
    print("\n| fast-soft-sort, ranks alone | N | peer ms | ours ms | largest difference |\n|---|---|---|---|---|")
    for regularization in ("l2", "kl"):
        for rows, strength in ((1_000, 0.01), (65_536, 1e-4)):
            x = rng.standard_normal(rows)
            peer = partial(soft_rank, x, "ASCENDING", strength, regularization)
            ours = partial(permutahedron_rank, torch.as_tensor(x), strength=strength, regularization=regularization)
            worst = np.abs(peer() - ours().numpy()).max()
            times = [time_pairs(lambda: None, step, repeats=3, device="cpu")[0] * 1e3 for step in (peer, ours)]
            label = f"{regularization}, strength {strength:g}"
            print(f"| {label} | {rows:,} | {times[0]:.1f} | {times[1]:.1f} | {worst:.1e} |")
            if worst > 1e-6 * rows:
                missed.append(f"fast-soft-sort {label} at {rows} rows: ranks differ by {worst:.1e}")
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cases = list(CASES)
    if importlib.util.find_spec("torchsort"):
        cases += torchsort_cases()
    else:
        print("torchsort is not installed: left out\n")
    print("| peer | N | peer ms | ours ms | peer / ours | peer MiB | ours MiB | largest gradient difference |")
    print("|---|---|---|---|---|---|---|---|")
    missed = [text for case in cases for text in compare(case, args.repeats)]
    if importlib.util.find_spec("fast_soft_sort"):
        missed += compare_ranks()
    else:
        print("\nfast-soft-sort is not installed: left out")
    for text in missed:
        print(f"MISSED: {text}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
