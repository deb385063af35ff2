"""The predictions of a finished run on one part, read back from its folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rankqa_datasets.errors import InputError
from shared_engine.run_folder import RunFolder, read_csv, read_json

Array = NDArray[np.float64]
NUMBERS = ("score", "target", "target_std", "votes")
NEEDED = ("id", "content", "score", "target", "split")


@dataclass(frozen=True)
class Predictions:
    """Scores of N stimuli with what raters said, in the order of their ids.

    Attributes:
        ids: names of the stimuli.
        contents: what each is a version of.
        databases: of each, '' where the manifest names none.
        scores: (N,) finite.
        targets: (N,) finite.
        target_std: (N,) standard deviation of the opinions, NaN where unknown.
        votes: (N,) number of opinions, NaN where unknown.
    """

    ids: tuple[str, ...]
    contents: tuple[str, ...]
    databases: tuple[str, ...]
    scores: Array
    targets: Array
    target_std: Array
    votes: Array

    def of_database(self, name: str) -> "Predictions":
        """The stimuli of one database."""
        rows = [i for i, own in enumerate(self.databases) if own == name]
        return Predictions(
            ids=tuple(self.ids[i] for i in rows),
            contents=tuple(self.contents[i] for i in rows),
            databases=tuple(self.databases[i] for i in rows),
            scores=self.scores[rows],
            targets=self.targets[rows],
            target_std=self.target_std[rows],
            votes=self.votes[rows],
        )


@dataclass(frozen=True)
class FinishedRun:
    """A run as a comparison needs it.

    Attributes:
        folder: its run folder.
        seed: of the run.
        split: digest of the split.
        test_to_train: stimuli predicted over stimuli trained on; None where the folder has no split file.
        predictions: of one part.
    """

    folder: Path
    seed: int
    split: str
    test_to_train: float | None
    predictions: Predictions


def read_finished_run(path: Path, part: str = "test") -> FinishedRun:
    """A finished run with its predictions on a part.

    Raises:
        InputError: no run folder, unfinished, damaged, or without that part.
    """
    folder = RunFolder(path)
    folder.require()
    if not folder.result.exists():
        raise InputError(f"the run {path} has not finished: continue it with rankqa train --resume {path}")
    result = read_json(folder.result)
    try:
        seed, split = int(result["seed"]), str(result["split_digest"])
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{folder.result} is damaged: it names no seed or no split_digest") from None
    predictions = _read_predictions(folder.predictions, part)
    ratio = None
    if folder.split.exists():
        trained = sum(row.get("split") == "train" for row in read_csv(folder.split))
        ratio = len(predictions.ids) / trained if trained else None
    return FinishedRun(path, seed, split, ratio, predictions)


def _read_predictions(path: Path, part: str) -> Predictions:
    every = read_csv(path)
    missing = [name for name in NEEDED if every and name not in every[0]]
    if missing:
        raise InputError(f"{path} is damaged: it has no column {missing[0]!r}")
    rows = sorted((row for row in every if row["split"] == part), key=lambda row: row["id"])
    if not rows:
        raise InputError(f"{path} has no stimulus of the {part} part")
    if any(row.get(name) is None for row in rows for name in NEEDED):
        raise InputError(f"{path} is damaged: a row is cut off")
    ids = tuple(row["id"] for row in rows)
    for one, other in pairwise(ids):
        if one == other:
            raise InputError(f"{path} is damaged: {one!r} comes twice")
    numbers = {name: np.array([_number(path, row, name) for row in rows]) for name in NUMBERS}
    return Predictions(
        ids,
        _words(rows, "content"),
        _words(rows, "database"),
        numbers["score"],
        numbers["target"],
        numbers["target_std"],
        numbers["votes"],
    )


def _words(rows: Sequence[dict[str, str]], name: str) -> tuple[str, ...]:
    return tuple(row.get(name) or "" for row in rows)


def _number(path: Path, row: dict[str, str], name: str) -> float:
    """A cell as a finite number; NaN where it is empty and may be."""
    cell = row.get(name) or ""
    if not cell and name not in NEEDED:
        return float("nan")
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise InputError(f"{path} is damaged: the {name} of {row['id']!r} is {cell!r}")
    return value
