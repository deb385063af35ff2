"""The results of all finished runs below some folders; of each run only config.json and result.json are read, and of
the sweep that it is of `grid.json`.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rankqa_datasets.errors import InputError

# Folders beside runs that hold no runs, but may hold very many files.
NOT_RUNS = {"cache", "checkpoints"}


@dataclass(frozen=True)
class RunResult:
    """What a finished run found: its folder, configuration, and criteria of each part (`result.json`).

    `settings` are those of its sweep, axis -> label or value; None where it is of no sweep. `seconds` are those from
    its last start to its end, caches included; None where they are not known.
    """

    folder: str
    config: dict[str, Any]
    parts: dict[str, dict[str, Any]]
    settings: dict[str, Any] | None = None
    seconds: Any = None


@dataclass(frozen=True)
class RunResults:
    """Finished runs in the order of their paths, and those that do not count, each with the reason."""

    finished: list[RunResult] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)


def collect_results(folders: Sequence[Path]) -> RunResults:
    """All runs that are or lie below the folders; a run that several of them lead to counts once.

    An unfinished or damaged run is left out, and so is a copy: a folder with the configuration and the criteria of
    another, which would make the same evidence count twice.

    Raises:
        InputError: no such folder, or no run folder in it, or a damaged grid.json.
    """
    found = RunResults()
    seen: set[str] = set()
    sweeps: dict[str, dict[str, Any]] = {}
    originals: dict[tuple[bytes, str], str] = {}
    for folder in folders:
        root = os.path.realpath(folder)
        for run in find_runs(folder):
            # Links below a folder are not followed: a path is real from there on, and to ask costs as much as to read.
            real = root + run.removeprefix(str(folder))
            if real in seen:
                continue
            seen.add(real)
            try:
                config, result, text = _read(run)
            except ValueError as error:
                found.left_out.append((run, str(error)))
                continue
            criteria = [(name, part.get("srocc"), part.get("rmse")) for name, part in result["parts"].items()]
            original = originals.setdefault((text, str(criteria)), run)
            if original != run:
                found.left_out.append((run, f"a copy of {original}"))
            else:
                found.finished.append(
                    RunResult(run, config, result["parts"], _settings(real, sweeps), result.get("seconds"))
                )
    return found


def _settings(run: str, sweeps: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """Settings of the run with this real path, from the grid.json beside the folder of runs; `sweeps` keeps those."""
    folder, _, run_id = run.rpartition("/")
    sweep, _, name = folder.rpartition("/")
    if name != "runs":
        return None
    if sweep not in sweeps:
        path = f"{sweep}/grid.json"
        try:
            index, _ = _read_object(path)
            entries = {} if index is None else index["runs"]
            sweeps[sweep] = {known: entry["settings"] for known, entry in entries.items()}
        except ValueError as error:
            raise InputError(str(error)) from None
        except (KeyError, TypeError, AttributeError):
            raise InputError(f"damaged: {path}: expected the settings of each run in its table runs") from None
    return sweeps[sweep].get(run_id)


def find_runs(folder: Path) -> list[str]:
    """Paths of the run folders that are or lie below a folder, sorted.

    Raises:
        InputError: no such folder, or no run folder in it.
    """
    if not folder.is_dir():
        raise InputError(f"no folder {folder}")
    runs = sorted(_walk(str(folder)))
    if not runs:
        raise InputError(f"no run folder in {folder}: a run folder has a config.json")
    return runs


def _walk(folder: str) -> Iterator[str]:
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        if any(os.path.exists(f"{here}/{name}.json") for name in ("config", "result")):  # noqa: PTH110 -- speed
            yield here
            continue
        try:
            with os.scandir(here) as entries:
                waiting += [e.path for e in entries if e.is_dir(follow_symlinks=False) and e.name not in NOT_RUNS]
        except OSError as error:
            raise InputError(f"cannot read the folder {here}: {error.strerror or error}") from None


def _read(run: str) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Configuration, result, and the text of the configuration; ValueError says why the run does not count."""
    config, text = _read_object(f"{run}/config.json")
    if config is None:
        raise ValueError("damaged: it has no config.json")
    result, _ = _read_object(f"{run}/result.json")
    if result is None or result.get("status") != "finished":
        raise ValueError("unfinished")
    parts = result.get("parts")
    if not isinstance(parts, dict) or not all(isinstance(part, dict) for part in parts.values()):
        raise ValueError("damaged: its result.json has no parts")
    return config, result, text


def _read_object(path: str) -> tuple[dict[str, Any] | None, bytes]:
    """The JSON object of a file and its text; None where there is no such file."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 -- a Path costs as much as the reading, and there are thousands
            text = file.read()
    except FileNotFoundError:
        return None, b""
    except OSError as error:
        raise ValueError(f"cannot be read: {path}: {error.strerror or error}") from None
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"damaged: {path}: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"damaged: {path} holds no object")
    return content, text


def look_up(table: Any, key: str) -> Any:
    """The value under a dotted key of a configuration, or a whole table; None where there is none.

    A table in a list is found by its number: objective.terms.0.name.
    """
    for part in key.split("."):
        if isinstance(table, dict):
            table = table.get(part)
        elif isinstance(table, list) and part.isdecimal() and int(part) < len(table):
            table = table[int(part)]
        else:
            return None
    return table
