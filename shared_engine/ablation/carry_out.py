"""One run of a sweep, in the process that was begun for it."""

import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout

from filelock import FileLock, Timeout

from shared_engine.ablation.sweep import DEMO, State, Sweep
from shared_engine.config_files import resolve_config
from shared_engine.modality import Modality
from shared_engine.run_folder import RunFolder, write_json
from shared_engine.train import train


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
