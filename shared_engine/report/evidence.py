"""What a report is about: the outcome of each finished run, and which settings it compares."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rankqa_datasets.errors import InputError
from shared_engine.ablation.sweep import Sweep
from shared_engine.names import UsageProblem, closest
from shared_engine.results_table import REPEATS, differing_keys, shown
from shared_engine.run_folder import RunFolder, read_csv, read_json
from shared_engine.run_results import RunResult, collect_results, look_up

TEST = "test"


@dataclass(frozen=True)
class Outcome:
    """What one run reached on the test part of one database.

    Attributes:
        folder: the run folder.
        config: its configuration.
        settings: axis -> value, for the axes that are compared.
        group: what can be compared with it: a modality, or a database where there are several.
        split: which split of the data it had.
        seed: its seed.
        part: name of the part in result.json.
        summary: its criteria there.
    """

    folder: Path
    config: Mapping[str, Any]
    settings: dict[str, str]
    group: str
    split: str
    seed: str
    part: str
    summary: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Name of the run folder."""
        return self.folder.name

    @cached_property
    def result(self) -> dict[str, Any]:
        """All of result.json."""
        return read_json(RunFolder(self.folder).result)

    @cached_property
    def log(self) -> list[dict[str, str]]:
        """One row for each epoch; none where there is no log."""
        path = RunFolder(self.folder).log
        return read_csv(path) if path.exists() else []

    @cached_property
    def predictions(self) -> list[dict[str, str]]:
        """The rows of predictions.csv of this part and database.

        Raises:
            InputError: no such file, or a damaged one.
        """
        path = RunFolder(self.folder).predictions
        database = self.part.partition(", ")[2]
        rows = [row for row in read_csv(path) if row.get("split") == TEST and row.get("database", "") in (database, "")]
        for row in rows:
            try:
                if not (math.isfinite(float(row["score"])) and math.isfinite(float(row["target"]))):
                    raise ValueError
            except (KeyError, TypeError, ValueError):
                raise InputError(f"{path} is damaged: a row has no number for score or target") from None
        return rows


@dataclass(frozen=True)
class Evidence:
    """Outcomes to compare.

    Attributes:
        folders: as the user gave them.
        question: of the grid; empty where there is none.
        axes: what is compared, that of the question first.
        outcomes: of the finished runs.
        left_out: runs that do not count, each with the reason.
    """

    folders: tuple[Path, ...]
    question: str
    axes: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    left_out: tuple[tuple[str, str], ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """In the order of the runs."""
        return tuple(dict.fromkeys(outcome.group for outcome in self.outcomes))

    def values(self, axis: str) -> list[str]:
        """Values of an axis: numbers in order of size, other values in that of the grid."""
        found = list(dict.fromkeys(outcome.settings[axis] for outcome in self.outcomes))
        return sorted(found, key=float) if all(map(is_number, found)) else found


def is_number(text: str) -> bool:
    """Whether a value of an axis is one."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def collect_evidence(folders: Sequence[Path], *, axis: str | None = None) -> Evidence:
    """All finished runs of sweeps or below any folders.

    Args:
        folders: of sweeps or with runs.
        axis: the one that the page answers first; by default the first whose values are compared.

    Raises:
        InputError: no run, none that is finished, or one without predictions.
        UsageProblem: no such axis.
    """
    found = collect_results(folders)
    settings, question, failed = _from_sweeps(folders)
    runs = [run for run in found.finished if any(_is_test(part) for part in run.parts)]
    left_out = [(name, failed.get(str(Path(name).resolve()), reason)) for name, reason in found.left_out] + [
        (run.folder, "it has no test part") for run in found.finished if run not in runs
    ]
    named = {str(Path(name).resolve()) for name, _ in left_out} | {str(Path(run.folder).resolve()) for run in runs}
    left_out += [(name, reason) for name, reason in failed.items() if name not in named]
    if not runs:
        first = f", for example {left_out[0][0]}: {left_out[0][1]}" if left_out else ""
        raise InputError(f"no finished run with a test part in {', '.join(map(str, folders))}{first}")
    for run in runs:
        if not RunFolder(Path(run.folder)).predictions.is_file():
            raise InputError(f"{run.folder} has no predictions.csv, which a report is made of: train it again")
    tables = [settings.get(str(Path(run.folder).resolve())) for run in runs]
    if any(table is None for table in tables):
        keys = differing_keys(runs)
        tables = [{key: look_up(run.config, key) for key in keys} for run in runs]
    groups = _groups(runs)
    axes = _compared_axes(runs, [table or {} for table in tables], groups)
    if axis is not None and axis not in axes:
        known = closest(axis, axes) if axes else "the runs differ in seed and split alone"
        raise UsageProblem(f"{axis!r} is no axis that these runs compare: {known}")
    axes = sorted(axes, key=lambda name: name != axis)
    outcomes = [
        Outcome(
            folder=Path(run.folder),
            config=run.config,
            settings={name: shown((table or {}).get(name)) for name in axes},
            group=name if part == TEST else f"{name}: {part.partition(', ')[2]}",
            split=json.dumps([look_up(run.config, key) for key in REPEATS if key != "seed"]),
            seed=shown(look_up(run.config, "seed")),
            part=part,
            summary=summary,
        )
        for run, table, name in zip(runs, tables, groups, strict=True)
        for part, summary in run.parts.items()
        if _is_test(part)
    ]
    return Evidence(tuple(folders), question, tuple(axes), tuple(outcomes), tuple(left_out))


def _is_test(part: str) -> bool:
    return part == TEST or part.startswith(f"{TEST}, ")


def _from_sweeps(folders: Sequence[Path]) -> tuple[dict[str, dict[str, Any]], str, dict[str, str]]:
    """Run folder -> settings, the question, and run folder -> why it failed or that it is not finished."""
    settings, questions, failed = {}, [], {}
    for folder in folders:
        sweep = Sweep(folder if folder.name != "runs" or (folder / "grid.json").exists() else folder.resolve().parent)
        if not sweep.index.is_file():
            continue
        index = sweep.read_index()
        questions.append(str(index.get("question", "")))
        for run_id, entry in index.get("runs", {}).items():
            path = str(sweep.folder_of(run_id).path.resolve())
            settings[path] = entry.get("settings", {})
            state = sweep.state(run_id)
            if state == "failed":
                lines = str(read_json(sweep.beside(run_id, "failure.json")).get("error", "")).strip().splitlines()
                failed[path] = f"failed: {lines[-1] if lines else 'for no reason given'}"
            elif state == "open":
                failed[path] = "not finished"
    return settings, " ".join(dict.fromkeys(q for q in questions if q)), failed


def _groups(runs: Sequence[RunResult]) -> list[str]:
    """The modality of each run, with the database where a modality has several."""
    pairs = [(str(run.config.get("modality", "")), str(look_up(run.config, "data.manifest"))) for run in runs]
    several = {m for m, count in Counter(m for m, _ in set(pairs)).items() if count > 1}
    short = {manifest: _short(manifest) for _, manifest in pairs}
    clash = {name for name, count in Counter(short.values()).items() if count > 1}
    return [
        f"{modality}: {manifest if short[manifest] in clash else short[manifest]}" if modality in several else modality
        for modality, manifest in pairs
    ]


def _short(manifest: str) -> str:
    path = Path(manifest)
    return path.parent.name if path.stem == "manifest" and path.parent.name else path.stem


def _compared_axes(runs: Sequence[RunResult], tables: Sequence[Mapping[str, Any]], groups: Sequence[str]) -> list[str]:
    """Axes with several values in some group, that are more than repetitions with another seed or split."""
    # Two runs with the same text are repetitions of each other.
    same = [json.dumps(_without_repeats(run.config), sort_keys=True) for run in runs]
    axes = []
    for axis in dict.fromkeys(name for table in tables for name in table):
        values: dict[str, set[str]] = {}
        configs: dict[tuple[str, str], set[str]] = {}
        for group, table, text in zip(groups, tables, same, strict=True):
            values.setdefault(group, set()).add(shown(table.get(axis)))
            others = json.dumps([group, {key: value for key, value in table.items() if key not in (axis, *REPEATS)}])
            configs.setdefault((group, others), set()).add(text)
        if any(len(found) > 1 for found in values.values()) and any(len(found) > 1 for found in configs.values()):
            axes.append(axis)
    return [axis for axis in axes if axis not in REPEATS]


def _without_repeats(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    return {
        key: _without_repeats(value, f"{prefix}{key}.") if isinstance(value, dict) else value
        for key, value in table.items()
        if f"{prefix}{key}" not in REPEATS
    }
