"""Manifests: the CSV that says which stimuli there are and how good people found them."""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rankqa_datasets.errors import InputError
from rankqa_datasets.file_hash import FileHashes
from rankqa_datasets.manifest_row import ManifestRow
from rankqa_datasets.manifest_table import Problem, read_table
from rankqa_datasets.stimulus import Stimulus

__all__ = ["Manifest", "Problem", "Stimulus", "check_manifest", "read_manifest"]


@dataclass(frozen=True)
class Manifest:
    """A manifest without faults: its file, the folder its paths start from, and its rows in order."""

    path: Path
    root: Path
    stimuli: tuple[Stimulus, ...]

    @property
    def targets(self) -> np.ndarray:
        """Targets (N,) float64 in row order."""
        return np.array([stimulus.target for stimulus in self.stimuli], dtype=np.float64)


def read_manifest(path: str | Path, *, root: str | Path | None = None, files: bool = True) -> Manifest:
    """The manifest in a CSV `path,target[,reference,content,target_std,votes,recipe,split]`, every row valid.

    Args:
        path: the CSV; UTF-8 with or without byte-order mark.
        root: folder that the paths in it start from and must stay in; by default the folder of the CSV.
        files: whether the stimuli must be files that are there. False where the row itself is all that is needed, as in
            a table of features: the cell `path` is then only an id, and the root plays no part.

    Raises:
        InputError: names the first fault with its row, and how many more there are.
    """
    path = Path(path)
    folder = _root(path, root)
    rows, problems = _parse(path, folder, files=files)
    if problems:
        more = len(problems) - 1
        check = f"rankqa data check {path}{'' if files else ' --without-files'}"
        rest = f" (and {more} more: {check})" if more else ""
        raise InputError(f"{path}: {problems[0]}{rest}")
    return Manifest(path=path, root=folder, stimuli=tuple(stimulus for _, stimulus in rows))


def check_manifest(
    path: str | Path,
    *,
    root: str | Path | None = None,
    low: float | None = None,
    high: float | None = None,
    files: bool = True,
    decode: Callable[[Path], object] | None = None,
) -> list[Problem]:
    """Every fault of a manifest in row order; nothing is raised for bad input.

    Beyond what `read_manifest` refuses: the same bytes under two names with different targets, targets outside
    [low, high], and files that cannot be decoded.

    Args:
        path: the CSV.
        root: as in `read_manifest`.
        low: smallest allowed target.
        high: largest allowed target.
        files: as in `read_manifest`; without them no bytes are compared and nothing can be decoded.
        decode: called with each stimulus and reference file; a ValueError, OSError or SyntaxError (Pillow's) from it
            means that the file is damaged.
    """
    path = Path(path)
    folder = _root(path, root)
    rows, problems = _parse(path, folder, files=files)
    problems += _range_problems(rows, low, high)
    if files:
        problems += _twin_problems(rows)
    if files and decode is not None:
        problems += _decode_problems(rows, decode)
    return sorted(problems, key=lambda problem: problem.row)


def _root(path: Path, root: str | Path | None) -> Path:
    return (path.parent if root is None else Path(root)).resolve()


def _parse(path: Path, root: Path, *, files: bool = True) -> tuple[list[tuple[int, Stimulus]], list[Problem]]:
    """Rows that could be read, with their lines, and all faults; a row with a fault of its own is left out."""
    table = read_table(path)
    problems = list(table.problems)
    rows: list[tuple[int, Stimulus]] = []
    if "path" in table.columns and "target" in table.columns:
        for line, cells in table.rows:
            row = ManifestRow(line, cells, root if files else path.resolve(), files=files)
            stimulus = row.stimulus()
            problems += row.problems
            if stimulus is not None:
                rows.append((line, stimulus))
    if not problems and len(rows) < 2:
        problems.append(Problem(0, "", f"expected at least 2 rows, got {len(rows)}: no rank can be learnt from that"))
    problems += _duplicate_problems(rows) + _split_problems(rows) + _direction_problems(rows)
    problems += _two_values(rows, "content", "reference", lambda s: s.reference, lambda s: s.content)
    return rows, sorted(problems, key=lambda problem: problem.row)


def _duplicate_problems(rows: list[tuple[int, Stimulus]]) -> list[Problem]:
    first: dict[Path, int] = {}
    return [
        Problem(line, "path", f"'{stimulus.id}' is already in row {first[stimulus.path]}")
        for line, stimulus in rows
        if first.setdefault(stimulus.path, line) != line
    ]


def _split_problems(rows: list[tuple[int, Stimulus]]) -> list[Problem]:
    if all(stimulus.split is None for _, stimulus in rows):
        return []
    problems = [
        Problem(line, "split", "expected train, validation or test as in other rows, got an empty cell")
        for line, stimulus in rows
        if stimulus.split is None
    ]
    return problems + _two_values(rows, "split", "content", lambda s: s.content, lambda s: s.split)


def _direction_problems(rows: list[tuple[int, Stimulus]]) -> list[Problem]:
    """Targets of which the manifest itself says that lower is better; no two directions can be learnt as one."""
    lower = [(line, s) for line, s in rows if s.extra.get("direction", "higher").lower() not in ("", "higher")]
    if not lower:
        return []
    line, first = lower[0]
    where = f" of '{first.extra['database']}'" if first.extra.get("database") else ""
    mixed = f" here and 'higher' in {len(rows) - len(lower)} other rows" if len(lower) < len(rows) else ""
    text = f"'{first.extra['direction']}'{mixed}, expected 'higher' throughout: turn the targets{where} round"
    return [Problem(line, "direction", f"{text}, or make the manifest with rankqa data prepare, which does it")]


def _two_values(
    rows: list[tuple[int, Stimulus]],
    column: str,
    group_name: str,
    group: Callable[[Stimulus], str | Path | None],
    value: Callable[[Stimulus], str | None],
) -> list[Problem]:
    """One problem for each group whose rows disagree in a value that they must share."""
    first: dict[str | Path, tuple[int, str]] = {}
    problems: dict[str | Path, Problem] = {}
    for line, stimulus in rows:
        key, came = group(stimulus), value(stimulus)
        if key is None or came is None:
            continue
        first_line, first_came = first.setdefault(key, (line, came))
        if came != first_came and key not in problems:
            text = f"{group_name} '{key}' is in {column} '{first_came}' in row {first_line} and in '{came}' here"
            problems[key] = Problem(line, column, text)
    return list(problems.values())


def _range_problems(rows: list[tuple[int, Stimulus]], low: float | None, high: float | None) -> list[Problem]:
    low, high = (-math.inf if low is None else low), (math.inf if high is None else high)
    return [
        Problem(line, "target", f"expected a target from {low:g} to {high:g}, got {stimulus.target:g}")
        for line, stimulus in rows
        if not low <= stimulus.target <= high
    ]


def _twin_problems(rows: list[tuple[int, Stimulus]]) -> list[Problem]:
    # Files of one size only can be twins, so most sets are not read at all.
    sizes = Counter(stimulus.path.stat().st_size for _, stimulus in rows)
    hashes, first, problems = FileHashes(), {}, []
    for line, stimulus in rows:
        if sizes[stimulus.path.stat().st_size] < 2:
            continue
        try:
            digest = hashes.sha256(stimulus.path)
        except OSError as error:
            problems.append(Problem(line, "path", f"cannot read '{stimulus.id}': {error.strerror}"))
            continue
        first_line, twin = first.setdefault(digest, (line, stimulus))
        if twin.target != stimulus.target and twin.path != stimulus.path:
            text = f"same bytes as row {first_line} but target {stimulus.target:g} instead of {twin.target:g}"
            problems.append(Problem(line, "path", text))
    return problems


def _decode_problems(rows: Iterable[tuple[int, Stimulus]], decode: Callable[[Path], object]) -> list[Problem]:
    problems, seen = [], set()
    for line, stimulus in rows:
        for column, path in (("path", stimulus.path), ("reference", stimulus.reference)):
            if path is None or path in seen:
                continue
            seen.add(path)
            try:
                decode(path)
            except (ValueError, OSError, SyntaxError) as error:
                problems.append(Problem(line, column, f"cannot be decoded: {error}"))
    return problems
