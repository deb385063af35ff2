"""Ladders of any modality: a folder of stimuli, each distorted by each type at rising levels, with a manifest.

The target of a stimulus is minus its level. That is a LABEL BY LEVEL, not an opinion: it says which of two stimuli of
one content and one type is worse, and nothing across types or contents.
"""

import csv
import io
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from rankqa_datasets.atomic_file import write_text_atomically
from rankqa_datasets.errors import InputError
from shared_engine.names import UsageProblem, closest
from shared_engine.worker_processes import worker_processes

MARKER, MANIFEST, README = "ladders.json", "manifest.csv", "README.txt"
PRISTINE = "pristine"

S = TypeVar("S")


@dataclass(frozen=True)
class LadderKind:
    """What differs between modalities.

    Attributes:
        title: in the set's marker file.
        one, many: how messages call what is distorted: "photograph", "photographs".
        key: of their list in the marker file.
        folder: of the stimuli, in the set.
        suffix: of the stimuli's files.
        readme: text of the set's README.txt.
        level_column: whether the manifest has a column `level` too, from 0.
    """

    title: str
    one: str
    many: str
    key: str
    folder: str
    suffix: str
    readme: str
    level_column: bool

    def path(self, content: str, name: str) -> str:
        """Of a stimulus, from the set's folder on."""
        return f"{self.folder}/{content}/{name}{self.suffix}"


@dataclass(frozen=True)
class LadderSet:
    """What was made.

    Attributes:
        manifest: its path.
        contents: number of pristine stimuli in the set.
        stimuli: number of rows, the pristine ones among them.
        twins: stimuli left out because they equal the pristine one or a weaker level.
        without_colors: ladders left out because they change colours, of which the stimulus has none.
        left_out: one line for each file that could not be used.
    """

    manifest: Path
    contents: int
    stimuli: int
    twins: int
    without_colors: int
    left_out: tuple[str, ...]


def parse_types(text: str, distortions: Mapping[str, Any], unordered: Mapping[str, str]) -> tuple[str, ...]:
    """The types in a list 'a,b,...' in the order of `distortions`; 'all' is all whose levels are in order.

    Args:
        text: from the command line.
        distortions: all types by name.
        unordered: name -> reason, of those whose level numbers do not say how strong they are.

    Raises:
        UsageProblem: unknown type, or one whose level numbers are not in the order of strength.
    """
    if text.strip() == "all":
        return tuple(name for name in distortions if name not in unordered)
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in distortions:
            raise UsageProblem(f"unknown distortion type {name!r}: {closest(name, distortions)}")
        if name in unordered:
            raise UsageProblem(f"no ladder can be made of {name}: {unordered[name]}")
    return tuple(name for name in distortions if name in names)


def check_options(
    kind: LadderKind, types: Sequence[str], levels: Sequence[int], highest: int, limit: int | None, seed: int
) -> None:
    """Refuses options that no set can have.

    Raises:
        InputError: no types; levels that are none or not from 1 to `highest`; a limit below 1, or a seed below 0.
    """
    if not types:
        raise InputError("expected at least one distortion type, got none")
    if not levels or not set(levels) <= set(range(1, highest + 1)):
        raise InputError(f"expected levels from 1 to {highest}, got {', '.join(map(str, levels)) or 'none'}")
    if limit is not None and limit < 1:
        raise InputError(f"expected a limit of at least 1 {kind.one}, got {limit}")
    if seed < 0:
        raise InputError(f"expected a seed of at least 0, got {seed}")


def require_outside(kind: LadderKind, source: Path, folder: Path) -> None:
    """Refuses an output folder in which a second run would find its own stimuli as originals."""
    if folder.resolve().is_relative_to(source.resolve()):
        raise InputError(f"expected an output folder outside of the {kind.many}' {source}, got {folder}")


def build_ladders(
    kind: LadderKind,
    source: Path,
    folder: Path,
    *,
    found: Mapping[str, Path],
    options: dict[str, Any],
    levels: Mapping[str, Sequence[int]],
    write_pristine: Callable[[tuple[str, Path]], str | None],
    write_ladder: Callable[[tuple[str, str]], list[int] | None],
    workers: int,
) -> LadderSet:
    """Make a set of ladders, or go on with one that was interrupted.

    Args:
        kind: of the stimuli.
        source: where they were found, for messages.
        folder: where the set goes; empty, missing, or a set of the same options begun before. Files in it are kept.
        found: content -> file.
        options: all that decides about the stimuli; kept in the marker file.
        levels: type -> its levels, from 1.
        write_pristine: writes level 0 of one (content, file), and returns what is wrong with the file, or None. Runs in
            other processes, like the next.
        write_ladder: writes the levels of one (content, type), and returns those that are in the set, or None where the
            type changes colours and the content has none.
        workers: processes.

    Raises:
        InputError: no file that can be used, a folder with something else in it, or no space.
    """
    _claim(kind, folder, options, list(found))
    with worker_processes(workers) as each:
        faults = dict(zip(found, each(write_pristine, list(found.items()), kind.many), strict=True))
        contents = [content for content in found if faults[content] is None]
        if not contents:
            first = next(iter(faults.values()))
            raise InputError(f"none of the {len(found)} {kind.many} below {source} can be used: {first}")
        jobs = [(content, name) for content in contents for name in levels]
        made = dict(zip(jobs, each(write_ladder, jobs, "ladders"), strict=True))
    rows = []
    for content in contents:
        reference = kind.path(content, PRISTINE)
        rows.append([reference, 0, reference, content, PRISTINE])
        rows += [
            [kind.path(content, f"{name}_{level}"), level, reference, content, name]
            for name in levels
            for level in made[content, name] or ()
        ]
    _write_manifest(kind, folder / MANIFEST, rows)
    write_text_atomically(folder / README, kind.readme)
    return LadderSet(
        manifest=folder / MANIFEST,
        contents=len(contents),
        stimuli=len(rows),
        twins=sum(len(levels[name]) - len(done) for (_, name), done in made.items() if done is not None),
        without_colors=sum(done is None for done in made.values()),
        left_out=tuple(fault for fault in faults.values() if fault is not None),
    )


def ladder_seed(seed: int, content: str, name: str) -> int:
    """Of one content and type, the same at all levels; other contents and types have unrelated ones."""
    parts = [seed, zlib.crc32(content.encode()), zlib.crc32(name.encode())]
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


def write_rungs(
    paths: Mapping[int, Path],
    pristine: S,
    *,
    distort: Callable[[int], S],
    digest: Callable[[S], bytes],
    write: Callable[[Path, S], None],
) -> list[int]:
    """Write the levels that differ from the pristine stimulus and from all weaker levels, and return them in order.

    Files that are there already are kept.
    """
    seen, rungs = {digest(pristine)}, []
    for level, path in paths.items():
        stimulus = distort(level)
        own = digest(stimulus)
        if own in seen:
            continue
        seen.add(own)
        rungs.append(level)
        if not path.exists():
            make_folder(path.parent)
            write(path, stimulus)
    return rungs


def make_folder(folder: Path) -> None:
    """The folder and those above it, where missing.

    Raises:
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}") from error


def _claim(kind: LadderKind, folder: Path, options: dict[str, Any], contents: list[str]) -> None:
    """Make the folder ours, with its marker, unless something else is in it.

    More contents than before are welcome (a greater limit, a damaged one replaced); fewer would leave files that no
    manifest names.
    """
    marker = folder / MARKER
    if folder.exists() and not folder.is_dir():
        raise InputError(f"expected a folder for the ladders, {folder} is a file: name another")
    if folder.is_dir() and any(folder.iterdir()):
        if not marker.exists():
            first = min(entry.name for entry in folder.iterdir())
            raise InputError(f"expected an empty folder or a set of ladders, {folder} holds '{first}': name another")
        try:
            found = json.loads(marker.read_text(encoding="utf-8"))
            # JSON has lists for tuples.
            same = found["options"] == json.loads(json.dumps(options)) and found["title"] == kind.title
            before = set(found[kind.key]) if same else set()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"cannot read {marker}: {error}; remove the folder or name another") from error
        if not same:
            raise InputError(f"{folder} holds ladders with other options ({marker}): name another folder or remove it")
        gone = sorted(before - set(contents))
        if gone:
            raise InputError(
                f"{folder} holds ladders of {len(before)} {kind.many}, '{gone[0]}' is not among those given now: "
                "name another folder or remove it"
            )
    make_folder(folder / kind.folder)
    content = {"title": kind.title, "options": options, kind.key: contents}
    write_text_atomically(marker, json.dumps(content, indent=2) + "\n")


def _write_manifest(kind: LadderKind, path: Path, rows: list[list[Any]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "target", "reference", "content", "recipe", *["level"] * kind.level_column])
    for stimulus, level, *others in rows:
        writer.writerow([stimulus, -level, *others, *[level] * kind.level_column])
    write_text_atomically(path, text.getvalue())
