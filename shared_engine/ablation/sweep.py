"""The folder of a sweep: which runs it has, and what became of each.

Layout: `grid.json` (the grids, and settings and configuration of all runs), `runs/ID/` (a run folder each), and beside
it `ID.lock`, `ID.txt` (what the run printed) and `ID.failure.json`; `cache/`, shared by the runs; `demo/`.
"""

import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from rankqa_datasets.errors import InputError
from shared_engine.ablation.grid import GridFile, GridRun
from shared_engine.config_files import resolve_config
from shared_engine.modality import Modality
from shared_engine.run_folder import RunFolder, read_json, write_json

State = Literal["finished", "failed", "open"]

DEMO = "demo:"
"""Begins the name of a demo set in place of a manifest: demo:image, demo:cloud."""


class Sweep:
    """The runs of a grid in a folder. Any number of processes may work on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index = folder / "grid.json"

    def folder_of(self, run_id: str) -> RunFolder:
        """The run folder, whether it is there or not."""
        return RunFolder(self.folder / "runs" / run_id)

    def beside(self, run_id: str, ending: str) -> Path:
        """A file beside the run folder."""
        return self.folder / "runs" / f"{run_id}.{ending}"

    def add(self, grid: GridFile, runs: Sequence[GridRun]) -> None:
        """Puts the grid and its runs into the index, beside those of earlier grids in this folder.

        The grid is kept as its file has it, so that the sweep can be repeated where that file is lost.

        Raises:
            InputError: the folder cannot be written.
        """
        try:
            (self.folder / "runs").mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / "grid.lock"):
                before = read_json(self.index) if self.index.exists() else {"runs": {}}
                own = grid.model_dump(mode="json", exclude_defaults=True)
                grids = [other for other in before.get("grids", []) if other != own] + [own]
                known = before["runs"]
                for run in runs:
                    config = run.config.model_dump(mode="json")
                    known[run.id] = {"settings": run.settings, "modality": run.modality, "config": config}
                write_json(self.index, {"question": grid.question, "grids": grids, "runs": known})
        except OSError as error:
            raise InputError(f"cannot write {self.folder}: {error.strerror or error}") from None

    def read_index(self) -> dict[str, Any]:
        """Question, grids and runs.

        Raises:
            InputError: not the folder of a sweep.
        """
        if not self.index.is_file():
            raise InputError(f"{self.folder} is not the folder of a sweep: it has no grid.json")
        return read_json(self.index)

    def state(self, run_id: str) -> State:
        """What became of a run; one that was killed is open."""
        if self.folder_of(run_id).result.exists():
            return "finished"
        return "failed" if self.beside(run_id, "failure.json").exists() else "open"

    def states(self, run_ids: Iterable[str]) -> dict[str, State]:
        """Of many runs; only those that were begun are looked at."""
        folder = self.folder / "runs"
        begun = {path.name.partition(".")[0] for path in folder.iterdir()} if folder.is_dir() else set()
        return {run_id: self.state(run_id) if run_id in begun else "open" for run_id in run_ids}


def demo_sets(runs: Iterable[GridRun]) -> set[str]:
    """Names of the demo sets that the runs need."""
    manifests = {run.config.data.manifest for run in runs}
    return {manifest.removeprefix(DEMO) for manifest in manifests if manifest.startswith(DEMO)}


def carry_out(sweep: Sweep, run_id: str, get_modality: Callable[[str], Modality], *, wait: bool) -> State | None:
    """Train one run of a sweep in this process, from where it was interrupted; None if another process has it.

    A lock keeps all others away from the run for as long as this process lives.

    Args:
        sweep: its folder.
        run_id: an id of its index.
        get_modality: the modality of a name.
        wait: for the process that has the run, in place of None.
    """
    folder, failure = sweep.folder_of(run_id), sweep.beside(run_id, "failure.json")
    try:
        with FileLock(sweep.beside(run_id, "lock"), timeout=-1 if wait else 0):
            if sweep.state(run_id) == "finished":
                return "finished"
            with sweep.beside(run_id, "txt").open("a", encoding="utf-8") as output:
                try:
                    with redirect_stdout(output), redirect_stderr(output):
                        _train(sweep, run_id, get_modality, folder)
                except Exception as error:
                    write_json(failure, {"error": str(error), "traceback": traceback.format_exc()})
                    return "failed"
            failure.unlink(missing_ok=True)
            return "finished"
    except Timeout:
        return None


def _train(sweep: Sweep, run_id: str, get_modality: Callable[[str], Modality], folder: RunFolder) -> None:
    from shared_engine.train import train

    entry = sweep.read_index()["runs"][run_id]
    tables = [entry["config"]]
    manifest = entry["config"]["data"]["manifest"]
    if manifest.startswith(DEMO):
        own = sweep.folder / "demo" / manifest.removeprefix(DEMO) / "manifest.csv"
        tables.append({"data": {"manifest": str(own)}})
    modality = get_modality(entry["modality"])
    config = resolve_config(modality.config_type, tables)
    train(
        config,
        modality,
        folder.path,
        cache=sweep.folder / "cache",
        resume=folder.config.exists(),
        report=lambda line: print(line, flush=True),  # noqa: T201 -- into the run's own file
    )
