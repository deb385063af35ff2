"""`rankqa bench`."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from rankqa_cli.results import text_table
from shared_engine.names import UsageProblem, closest


@click.group()
def bench() -> None:
    """Measure speed and memory on this machine."""


@bench.command()
@click.argument("names", nargs=-1)
@click.option("--batch", "batches", type=click.IntRange(1), multiple=True, help="Rows with gradient. Repeatable. [64]")
@click.option("--bank", "banks", type=click.IntRange(0), multiple=True, help="Bank rows. Repeatable. [1024 and 65536]")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--threads", type=click.IntRange(1), help="Threads on a CPU; default: torch's.")
@click.option("--repeats", type=click.IntRange(1), default=7, show_default=True)
@click.option("--json", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures to a file.")
def losses(
    names: tuple[str, ...],
    batches: tuple[int, ...],
    banks: tuple[int, ...],
    device: str,
    threads: int | None,
    repeats: int,
    file: Path | None,
) -> None:
    """Time and peak memory of losses, forward and backward, in units of one torch.sort of as many float32.

    NAMES are losses (rankqa list losses), or spearman/KERNEL; by default all. naive_sigmoid is the usual pairwise
    sigmoid, for comparison.

    \b
      rankqa bench losses
      rankqa bench losses spearman/box gcc --batch 16 --batch 256 --bank 1000000
      rankqa bench losses spearman --batch 65536 --bank 0
    """
    import torch

    from shared_engine.loss_benchmark import CASES, measure, skip_reason

    known = ["naive_sigmoid", *CASES]
    chosen = []
    for name in names or known:
        found = [case for case in known if case == name or case.startswith(f"{name}/")]
        if not found:
            raise UsageProblem(f"unknown loss {name!r}: {closest(name, known)}")
        chosen += found
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageProblem("--device cuda: torch finds no CUDA device here; use --device cpu")
    if threads is not None:
        torch.set_num_threads(threads)
    where = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    click.echo(f"torch {torch.__version__}, {where}, median of {repeats} pairs, forward + backward")
    header = ["loss", "B", "bank", "ms", "x sort", "peak MiB", "bytes/row"]
    rows, figures, skipped = [], [], {}
    for batch in batches or (64,):
        for bank_rows in banks or (1024, 65536):
            for case in chosen:
                reason = skip_reason(case, batch, bank_rows)
                if reason is not None:
                    skipped.setdefault(reason, []).append(case)
                    continue
                figure = measure(case, batch, bank_rows, device=device, repeats=repeats)
                figures.append(asdict(figure))
                sizes = [str(figure.batch), str(figure.bank), f"{figure.milliseconds:.3g}", f"{figure.ratio:.3g}"]
                memory = [f"{figure.peak_bytes / 2**20:.3g}", f"{figure.bytes_per_row:.0f}"]
                rows.append([case, *sizes, *memory])
    click.echo(text_table(header, rows))
    for reason, cases in skipped.items():
        click.echo(f"not timed, {reason}: {', '.join(dict.fromkeys(cases))}")
    if file is not None:
        file.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
