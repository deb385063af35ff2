"""Time and peak memory of spearman_loss, forward and backward, in units of one torch.sort of the same float32 vector.

    python benchmarks/losses/spearman_speed.py [--threads 2] [--repeats 31]

Each repetition times the sort and the candidate one after the other; the ratio is the median of the paired ratios, so
that other work on the machine weighs on both alike. Peak memory is what was allocated beyond the inputs.
"""

import argparse
import statistics
import time

import torch
from torch.profiler import ProfilerActivity, profile

from shared_losses import spearman_loss

ROWS = 65_536
BATCH = 64
NAIVE_ROWS = 4_096


def naive_loss(scores, targets, bank_scores=None, bank_targets=None, tau=0.1):
    """The usual pairwise sigmoid with autograd: batch rows against all rows."""
    every = scores if bank_scores is None else torch.cat([scores, bank_scores])
    every_target = targets if bank_targets is None else torch.cat([targets, bank_targets])
    ranks = torch.sigmoid((scores[:, None] - every[None]) / tau).sum(1)
    target_ranks = every_target.argsort().argsort()[: len(scores)].float()
    a, b = ranks - ranks.mean(), target_ranks - target_ranks.mean()
    return 1 - (a @ b) / (a.norm() * b.norm())


def seconds(call):
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def peak_bytes(call):
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        call()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    held, peak = 0, 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=31)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)

    def rows(count, tied=False):
        x = torch.randn(count)
        y = x + torch.randn(count)
        return x, (y * 10).round() / 10 if tied else y

    x, y = rows(ROWS)
    tied = rows(ROWS, tied=True)
    batch = rows(BATCH)
    small = rows(NAIVE_ROWS)

    def step(loss, data, bank=None, **options):
        stored = {} if bank is None else {"bank_scores": bank[0], "bank_targets": bank[1]}

        def run():
            scores = data[0].detach().requires_grad_()
            loss(scores, data[1], **stored, **options).backward()

        return run

    # label, call, vector whose sort is the unit, figure to reach
    cases = [
        (f"box, all {ROWS} rows", step(spearman_loss, (x, y)), x, 6),
        (f"box, all {ROWS} rows, tied targets", step(spearman_loss, tied), x, 6),
        (f"triangle, all {ROWS} rows", step(spearman_loss, (x, y), kernel="triangle"), x, None),
        (f"box, B={BATCH}, bank {ROWS}", step(spearman_loss, batch, (x, y)), x, 3),
        (f"triangle, B={BATCH}, bank {ROWS}", step(spearman_loss, batch, (x, y), kernel="triangle"), x, None),
        (f"naive pairwise sigmoid, B={BATCH}, bank {ROWS}", step(naive_loss, batch, (x, y)), x, None),
        (f"box, all {NAIVE_ROWS} rows", step(spearman_loss, small), small[0], None),
        (f"logistic in chunks, all {NAIVE_ROWS} rows", step(spearman_loss, small, kernel="logistic"), small[0], None),
        (f"naive pairwise sigmoid, all {NAIVE_ROWS} rows", step(naive_loss, small), small[0], None),
    ]
    print(f"torch {torch.__version__}, {args.threads} threads, {args.repeats} paired repetitions")
    print(f"{'forward + backward':45} {'ms':>9} {'sort ms':>8} {'ratio':>7} {'at most':>8} {'peak MiB':>9}")
    for label, call, vector, limit in cases:
        for _ in range(3):
            call()
        pairs = [(seconds(lambda v=vector: torch.sort(v)), seconds(call)) for _ in range(args.repeats)]
        sort_ms, call_ms = (statistics.median(column) * 1e3 for column in zip(*pairs, strict=True))
        ratio = statistics.median(b / a for a, b in pairs)
        verdict = "" if limit is None else f"{limit:g}" + ("" if ratio <= limit else " MISSED")
        memory = peak_bytes(call) / 2**20
        print(f"{label:45} {call_ms:9.2f} {sort_ms:8.2f} {ratio:7.2f} {verdict:>8} {memory:9.2f}")


if __name__ == "__main__":
    main()
