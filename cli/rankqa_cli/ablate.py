"""`rankqa ablate`."""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

from rankqa_cli.ladders import DEMO_SETS
from rankqa_cli.modalities import MODALITIES, get_config_type, get_modality
from rankqa_cli.results import text_table
from shared_engine.names import UsageProblem, closest, resolve

if TYPE_CHECKING:
    from shared_engine.ablation.grid import GridFile, GridRun
    from shared_engine.ablation.run_process import Start
    from shared_engine.ablation.sweep import State, Sweep


@click.command()
@click.argument("grid", required=False)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Its folder.  [default: ablations/GRID]")
@click.option("--slots", type=click.IntRange(min=1), default=1, show_default=True, help="Runs at the same time.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of a run.  [default: the cores over the slots]")
@click.option("--shard", metavar="I/N", help="Only every N-th run from the I-th on, I from 1, for batch schedulers.")
@click.option("--executor", type=click.Choice(["local", "ray"]), default="local", show_default=True)
@click.option("--address", help="Of a Ray cluster; its machines share the folder.  [default: one on this machine]")
@click.option("--gpus", type=click.FloatRange(min=0), default=0.0, show_default=True, help="GPUs of a run, for Ray.")
@click.option("--retry-failed", is_flag=True, help="Begin failed runs again.")
@click.option("--dry-run", is_flag=True, help="Print the runs and an estimate of their time, and stop.")
@click.option("--list", "show_grids", is_flag=True, help="Names of the grids that ship with rankqa.")
def ablate(
    grid: str | None,
    out: Path | None,
    slots: int,
    threads: int | None,
    shard: str | None,
    executor: str,
    address: str | None,
    gpus: float,
    retry_failed: bool,
    dry_run: bool,
    show_grids: bool,
) -> None:
    """Train every configuration of the grid GRID: a shipped one by name, or a TOML file.

    \b
      rankqa ablate losses-quick
      rankqa ablate my-grid.toml --slots 4 --out ablations/first
      rankqa ablate my-grid.toml --shard 3/20

    A sweep that was stopped goes on where it was: finished runs are never repeated, interrupted ones continue from
    their last epoch. A failed run stops no other. Any number of sweeps may work on one folder. How to write a grid:
    docs/ablations.md.
    """
    from shared_engine.ablation.grid import expand, read_grid
    from shared_engine.ablation.sweep import Sweep, demo_sets

    if show_grids:
        click.echo(text_table(["grid", "question"], [[name, read_grid(path).question] for name, path in _shipped()]))
        return
    if grid is None:
        raise UsageProblem("expected a grid: rankqa ablate NAME_OR_FILE; --list shows the shipped ones")
    path = _grid_path(grid)
    read = read_grid(path)
    runs = expand(read, get_config_type)
    sweep = Sweep(out or Path("ablations") / path.stem)
    chosen = _shard(runs, shard)
    if dry_run:
        _print_plan(sweep, chosen, slots)
        return
    for name in demo_sets(runs):
        resolve("demo set", name, DEMO_SETS)(sweep.folder / "demo" / name)
    sweep.add(read, runs)
    if retry_failed:
        for run in chosen:
            sweep.beside(run.id, "failure.json").unlink(missing_ok=True)
    waiting = [run_id for run_id, state in sweep.states(run.id for run in chosen).items() if state == "open"]
    click.echo(f"{len(chosen)} runs, {len(waiting)} to do, in {sweep.folder}", err=True)
    threads = threads or max(1, (os.cpu_count() or 1) // slots)
    start = _start(sweep, runs, executor, threads)
    _follow(sweep, waiting, _outcomes(sweep, waiting, start, executor, slots, threads, address, gpus))
    _conclude(sweep, read, chosen)


def _start(sweep: "Sweep", runs: "Sequence[GridRun]", executor: str, threads: int) -> "Start":
    """How a run gets its process: forked where it stays in one, as a program on other machines and with DDP."""
    from shared_engine.ablation.run_process import ForkedProcess, NewProcess, thread_variables

    if executor == "ray" or any(run.config.engine.devices > 1 for run in runs):
        return NewProcess(_Program(sweep), threads)
    from rankqa_cli.ablation_run import AblationRun

    os.environ.update(thread_variables(threads))
    return ForkedProcess(AblationRun(sweep), threads, _imports(runs))


def _imports(runs: "Sequence[GridRun]") -> list[str]:
    """Modules that the runs will need; not those of the user's own models, whose faults belong into their runs."""
    targets = {MODALITIES[run.modality] for run in runs}
    for run in runs:
        models = get_modality(run.modality).models
        if run.config.model.name in models:
            targets.add(models[run.config.model.name])
    return ["rankqa_cli.ablation_run", *sorted({target.split(":")[0] for target in targets})]


def _outcomes(
    sweep: "Sweep",
    run_ids: Sequence[str],
    start: "Start",
    executor: str,
    slots: int,
    threads: int,
    address: str | None,
    gpus: float,
) -> "Iterable[tuple[str, State]]":
    if executor == "ray":
        from shared_engine.ablation.cluster import run_on_ray

        return run_on_ray(sweep, run_ids, start, address=address, slots=slots, threads=threads, gpus=gpus)
    if address is not None or gpus:
        raise UsageProblem("--address and --gpus go with --executor ray")
    from shared_engine.ablation.local import run_locally

    return run_locally(sweep, run_ids, start, slots=slots)


class _Program:
    """The command line of one run; a class, since it travels to other machines."""

    def __init__(self, sweep: "Sweep") -> None:
        self.folder = str(sweep.folder.resolve())

    def __call__(self, run_id: str, wait: bool) -> list[str]:
        command = [sys.executable, "-m", "rankqa_cli.ablation_run", self.folder, run_id]
        return [*command, "--wait"] if wait else command


def _follow(sweep: "Sweep", waiting: Sequence[str], outcomes: "Iterable[tuple[str, State]]") -> None:
    failed = 0
    try:
        with tqdm(total=len(waiting), unit="run", disable=None) as bar:
            for run_id, state in outcomes:
                bar.update()
                if state == "failed":
                    failed += 1
                    bar.set_postfix(failed=failed)
                    tqdm.write(f"{run_id} failed: {_reason(sweep, run_id)}", file=sys.stderr)
    except KeyboardInterrupt:
        raise click.ClickException("interrupted; the same command goes on from here") from None


def _reason(sweep: "Sweep", run_id: str) -> str:
    from shared_engine.run_folder import read_json

    return str(read_json(sweep.beside(run_id, "failure.json"))["error"]).strip().splitlines()[-1]


def _conclude(sweep: "Sweep", grid: "GridFile", runs: "Sequence[GridRun]") -> None:
    states = Counter(sweep.states(run.id for run in runs).values())
    click.echo(f"{states['finished']} of {len(runs)} runs finished, {states['failed']} failed, {states['open']} open")
    click.echo(f"next: rankqa table {sweep.folder / 'runs'}; rankqa report {sweep.folder}")
    if states["failed"]:
        why = sweep.folder / "runs" / "ID.failure.json"
        raise click.ClickException(f"{states['failed']} runs failed, see {why}; --retry-failed begins them again")


def _print_plan(sweep: "Sweep", runs: "Sequence[GridRun]", slots: int) -> None:
    axes = list(runs[0].settings) if runs else []
    states = sweep.states(run.id for run in runs)
    rows = [[run.id, states[run.id], *(str(run.settings[axis]) for axis in axes)] for run in runs]
    click.echo(text_table(["id", "state", *axes], rows))
    left = [run for run in runs if states[run.id] != "finished"]
    done = [run for run in runs if states[run.id] == "finished"]
    click.echo(f"{len(runs)} runs, {len(left)} to do; {_estimate(sweep, done, left, slots)}")


def _estimate(sweep: "Sweep", done: "Sequence[GridRun]", left: "Sequence[GridRun]", slots: int) -> str:
    """From the finished runs of the same modality and recipe."""
    from shared_engine.run_folder import read_json

    seconds: dict[tuple[str, str], list[float]] = {}
    for run in done:
        taken = float(read_json(sweep.folder_of(run.id).result)["seconds"])
        seconds.setdefault((run.modality, run.config.recipe), []).append(taken)
    kinds = [(run.modality, run.config.recipe) for run in left]
    if not left:
        return "nothing to wait for"
    if unknown := [kind for kind in dict.fromkeys(kinds) if kind not in seconds]:
        return f"no estimate: no run of {', '.join(' '.join(kind) for kind in unknown)} is finished yet"
    total = sum(sum(seconds[kind]) / len(seconds[kind]) for kind in kinds) / slots
    return f"about {total / 60:.0f} minutes with {slots} at a time"


def _shard(runs: "list[GridRun]", shard: str | None) -> "list[GridRun]":
    if shard is None:
        return runs
    first, _, count = shard.partition("/")
    if not (first.isdigit() and count.isdigit() and 1 <= int(first) <= int(count)):
        raise UsageProblem(f"--shard expects I/N with I from 1 to N, for example 3/20; got {shard!r}")
    return runs[int(first) - 1 :: int(count)]


def _shipped() -> list[tuple[str, Path]]:
    folder = Path(str(resources.files("rankqa_cli.grids")))
    return [(path.stem, path) for path in sorted(folder.glob("*.toml"))]


def _grid_path(name: str) -> Path:
    if name.endswith(".toml"):
        return Path(name)
    shipped = dict(_shipped())
    if name not in shipped:
        raise UsageProblem(f"unknown grid {name!r}: {closest(name, list(shipped))}; a file ends in .toml")
    return shipped[name]
