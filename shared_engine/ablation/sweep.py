"""The folder of a sweep: which runs it has, and what became of each.

Layout: `grid.json` (the grids, and settings and configuration of all runs), `runs/ID/` (a run folder each), and beside
it `ID.lock`, `ID.txt` (what the run printed) and `ID.failure.json`; `cache/`, shared by the runs; `demo/`.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from rankqa_datasets.errors import InputError
from shared_engine.ablation.grid import GridFile, GridRun
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
