"""Time and peak memory of losses, forward and backward, in units of one sort."""

from __future__ import annotations

import contextlib
import inspect
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from shared_losses import LOSSES
from shared_losses.kernels import KERNELS

Step = Callable[[], None]

# What is timed: a loss with options. `spearman` by kernel, the others as they come.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    **{f"spearman/{kernel}": ("spearman", {"kernel": kernel}) for kernel in KERNELS},
    "spearman/nearest": ("spearman", {"nearest": 32}),
    **{name: (name, {}) for name in LOSSES if name != "spearman"},
}
# These hold all pairs of batch and other rows, about a dozen float64 matrices at once.
PAIRWISE = ("gcc", "kendall", "pairwise_hinge", "ranknet", "fidelity", "thurstone", "naive_sigmoid")
MOST_PAIRS = 2**26
FIXED_ROWS = {"asna": 16}


@dataclass(frozen=True)
class Measurement:
    """One loss at one size.

    Attributes:
        milliseconds: Median time of forward and backward.
        ratio: Median of its paired ratios to one torch.sort of as many float32 values as there are rows.
        peak_bytes: Memory allocated beyond the inputs, at most.
    """

    case: str
    batch: int
    bank: int
    milliseconds: float
    ratio: float
    peak_bytes: int

    @property
    def bytes_per_row(self) -> float:
        """Peak memory over the number of rows of batch and bank."""
        return self.peak_bytes / (self.batch + self.bank)


def skip_reason(case: str, batch: int, bank: int) -> str | None:
    """Why a case is not timed at this size; None if it is."""
    name = CASES[case][0] if case in CASES else case
    if name in FIXED_ROWS and batch != FIXED_ROWS[name]:
        return f"takes batches of {FIXED_ROWS[name]} rows only"
    if name in PAIRWISE and batch * (batch + bank) > MOST_PAIRS:
        return f"holds all {batch * (batch + bank):,} pairs, about {batch * (batch + bank) * 96 / 2**30:.0f} GiB"
    return None


def measure(case: str, batch: int, bank: int, *, device: str = "cpu", repeats: int = 7) -> Measurement:
    """Times one case on correlated normal scores; `bank` = 0 means that all rows carry gradient."""
    step = loss_step(case, batch, bank, device)
    unit = torch.randn(batch + bank, device=device)
    times, ratio = time_pairs(lambda: torch.sort(unit), step, repeats=repeats, device=device)
    return Measurement(case, batch, bank, times * 1e3, ratio, peak_bytes(step, device))


def loss_step(case: str, batch: int, bank: int, device: str = "cpu") -> Step:
    """A call that computes one loss and its gradient."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(batch + bank, generator=generator)
    targets = (scores + torch.randn(batch + bank, generator=generator)).to(device)
    scores = scores.to(device)
    rows = {"bank_scores": scores[batch:], "bank_targets": targets[batch:]} if bank else {}
    function, options = (naive_sigmoid, {}) if case == "naive_sigmoid" else _case(case)
    rows |= _extra_rows(function, batch, bank, device)

    def step() -> None:
        own = scores[:batch].detach().requires_grad_()
        function(own, targets[:batch], **rows, **options).backward()

    return step


def naive_sigmoid(
    scores: Tensor, targets: Tensor, *, bank_scores: Tensor | None = None, bank_targets: Tensor | None = None
) -> Tensor:
    """The usual pairwise sigmoid rank with autograd, float32: batch rows against all rows."""
    every = scores if bank_scores is None else torch.cat([scores, bank_scores])
    every_target = targets if bank_targets is None else torch.cat([targets, bank_targets])
    ranks = torch.sigmoid((scores[:, None] - every[None]) / 0.1).sum(1)
    target_ranks = every_target.argsort().argsort()[: scores.shape[0]].float()
    a, b = ranks - ranks.mean(), target_ranks - target_ranks.mean()
    return 1 - (a @ b) / (a.norm() * b.norm())


def time_pairs(unit: Callable[[], Any], step: Step, *, repeats: int, device: str) -> tuple[float, float]:
    """Median seconds of `step`, and median of its ratios to `unit`, each pair run one after the other."""
    for _ in range(2):
        unit()
        step()
    pairs = [(_seconds(unit, device), _seconds(step, device)) for _ in range(repeats)]
    return statistics.median(b for _, b in pairs), statistics.median(b / a for a, b in pairs)


def peak_bytes(step: Step, device: str = "cpu") -> int:
    """Memory that `step` allocates at most, beyond what is there before."""
    if device != "cpu":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    with _quiet(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    # Every allocation and release in time order; the public summary gives sums by operator alone.
    results: Any = profiler.profiler.kineto_results  # pyright: ignore[reportOptionalMemberAccess]
    held, peak = 0, 0
    for event in sorted((e for e in results.events() if e.name() == "[memory]"), key=lambda e: e.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def _case(case: str) -> tuple[Callable[..., Tensor], Mapping[str, Any]]:
    name, options = CASES[case]
    return LOSSES[name], options


def _extra_rows(function: Callable[..., Tensor], batch: int, bank: int, device: str) -> dict[str, Tensor]:
    shapes: dict[str, tuple[int, ...]] = {
        "score_std": (batch,),
        "bank_score_std": (bank,),
        "score_distribution": (batch, 5),
        "target_distribution": (batch, 5),
        "anchor_embeddings": (batch, 64),
        "positive_embeddings": (batch, 64),
        "negative_embeddings": (batch, 3, 64),
        "student_predictions": (batch, 64),
        "teacher_predictions": (batch, 64),
        "class_logits": (batch, 5),
    }
    wanted = inspect.signature(function).parameters
    rows = {name: torch.rand(shape, device=device) + 0.5 for name, shape in shapes.items() if name in wanted}
    for name in ("score_distribution", "target_distribution"):
        if name in rows:
            rows[name] /= rows[name].sum(1, keepdim=True)
    if "classes" in wanted:
        rows["classes"] = torch.arange(batch, device=device) % 5
    return rows


def _seconds(call: Callable[[], Any], device: str) -> float:
    begin = time.perf_counter()
    call()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - begin


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    # The profiler's library writes a line to standard error at its start and its end.
    held, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    try:
        yield
    finally:
        os.dup2(held, 2)
        os.close(held)
        os.close(sink)
