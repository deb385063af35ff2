"""Time and peak memory of the loss core over batch and bank sizes, against the figures to reach.

    python benchmarks/losses/grid.py [--device cpu] [--threads 2] [--repeats 7] [--plot docs/figures/loss-speed.svg]

Figures to reach on a CPU: a bank of 1M rows and B = 64 within 2 times one torch.sort of 1M float32; all of 1M rows
within 5 times; a slope of log time against log N of at most 1.15; at most 64 bytes a row. On a GPU: 1M bank rows and
B = 256 within 2 ms. Each repetition times the sort and the loss one after the other; the ratio is the median of the
paired ratios, so that other work on the machine weighs on both alike. Exits with 1 where a figure is missed.
"""

import argparse
import math
import sys

import torch

from shared_engine.loss_benchmark import measure

KERNELS = ("box", "triangle", "laplace", "logistic", "normal")
BATCHES = (16, 64, 256, 4096)
BANKS = (1_000, 64_000, 1_000_000)
ALL_ROWS = (4_000, 16_000, 64_000, 256_000, 1_000_000)


def slope(points):
    """Least-squares slope of log time against log N."""
    x, y = ([math.log(value) for value in column] for column in zip(*points, strict=True))
    centre = sum(x) / len(x)
    return sum((a - centre) * b for a, b in zip(x, y, strict=True)) / sum((a - centre) ** 2 for a in x)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--plot")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    options = {"device": args.device, "repeats": args.repeats}
    missed = []

    def require(holds, text):
        if not holds:
            missed.append(text)

    print(f"torch {torch.__version__}, {args.device}, {args.threads} threads, {args.repeats} pairs\n")
    print("| box kernel | " + " | ".join(f"bank {bank:,}" for bank in BANKS) + " |\n" + "|---" * (len(BANKS) + 1) + "|")
    for batch in BATCHES:
        cells = []
        for bank in BANKS:
            figure = measure("spearman/box", batch, bank, **options)
            cells.append(f"{figure.milliseconds:.2f} ms, {figure.ratio:.2f} x sort, {figure.bytes_per_row:.0f} B")
            if args.device == "cpu" and (batch, bank) == (64, 1_000_000):
                require(figure.ratio <= 2, f"bank of 1M: {figure.ratio:.2f} x sort, at most 2")
            if args.device != "cpu" and (batch, bank) == (256, 1_000_000):
                require(figure.milliseconds <= 2, f"bank of 1M: {figure.milliseconds:.2f} ms, at most 2")
            if bank > 10_000:
                require(figure.bytes_per_row <= 64, f"B={batch}, bank {bank}: {figure.bytes_per_row:.0f} bytes a row")
        print(f"| B = {batch} | " + " | ".join(cells) + " |")

    print("\n| all rows carry gradient | " + " | ".join(f"N = {rows:,}" for rows in ALL_ROWS) + " | slope |")
    print("|---" * (len(ALL_ROWS) + 2) + "|")
    curves = {}
    for kernel in KERNELS:
        figures = [measure(f"spearman/{kernel}", rows, 0, **options) for rows in ALL_ROWS]
        curves[kernel] = [(figure.batch, figure.milliseconds) for figure in figures]
        cells = [f"{f.milliseconds:.2f} ms, {f.ratio:.2f} x, {f.bytes_per_row:.0f} B" for f in figures]
        # Below 16,000 rows a CPU spends its time on starting operators.
        steep = slope(curves[kernel][1:])
        print(f"| {kernel} | " + " | ".join(cells) + f" | {steep:.2f} |")
        if kernel == "box" and args.device == "cpu":
            require(figures[-1].ratio <= 5, f"all of 1M rows: {figures[-1].ratio:.2f} x sort, at most 5")
            require(figures[-1].bytes_per_row <= 64, f"all of 1M rows: {figures[-1].bytes_per_row:.0f} bytes a row")
            require(steep <= 1.15, f"slope {steep:.2f}, at most 1.15")
    curves["naive sigmoid"] = [
        (rows, measure("naive_sigmoid", rows, 0, **options).milliseconds) for rows in (1_000, 2_000, 4_000, 8_000)
    ]
    print(
        "\nnaive pairwise sigmoid: " + ", ".join(f"N = {rows:,}: {ms:.1f} ms" for rows, ms in curves["naive sigmoid"])
    )
    if args.plot:
        plot(curves, args.plot)
    for text in missed:
        print(f"MISSED: {text}")
    sys.exit(1 if missed else 0)


def plot(curves, path):
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.5, 3.6), layout="constrained")
    for name, points in curves.items():
        style = {"linestyle": "--", "color": "0.5"} if name == "naive sigmoid" else {}
        axes.loglog(*zip(*points, strict=True), marker="o", markersize=3, label=name, **style)
    axes.set(xlabel="rows N, all with gradient", ylabel="forward + backward, ms")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
