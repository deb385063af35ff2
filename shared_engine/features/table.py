"""A CSV of features: one row a stimulus, its features in named columns."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest_table import KNOWN, read_table
from shared_engine.mixture import COLUMN
from shared_engine.names import UsageProblem, closest

Features = NDArray[np.float32]

# Columns of a manifest, which describe a stimulus and are never features.
RESERVED = (*KNOWN, COLUMN)

LARGEST = float(np.finfo(np.float32).max)


class FeatureTable:
    """The rows of a CSV `path,...`, by their path; a column `target` is not needed."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            InputError: not a CSV with the column path and at least one row, or a path that comes twice.
        """
        table = read_table(path)
        # Whoever needs targets reads the manifest, which misses the column itself.
        problems = [problem for problem in table.problems if problem.column != "target"]
        if problems:
            raise InputError(f"{path}: {problems[0]}")
        if not table.rows:
            raise InputError(f"{path}: expected at least one row below the header")
        self.path = path
        self.columns = table.columns
        self.rows: dict[str, tuple[int, dict[str, str]]] = {}
        for line, cells in table.rows:
            first, _ = self.rows.setdefault(os.path.normpath(cells["path"]), (line, cells))
            if first != line:
                raise InputError(f"{path}: row {line}: '{cells['path']}' is already in row {first}")

    def choose(self, columns: Sequence[str] | None, prefix: str | None) -> tuple[str, ...]:
        """The feature columns in the order of the table: those named, those that begin so, or all of numbers.

        Raises:
            UsageProblem: none, no such column, or one that describes the stimulus.
            InputError: without names, a column that holds numbers and something else.
        """
        if columns is not None:
            for name in columns:
                if name in RESERVED:
                    raise UsageProblem(f"column {name!r} describes the stimulus and is no feature; leave it out")
                self._check_column(name)
            return tuple(columns)
        free = [name for name in self.columns if name not in RESERVED]
        if prefix is not None:
            chosen = [name for name in free if name.startswith(prefix)]
        else:
            chosen = [name for name in free if self._holds_numbers(name)]
        if not chosen:
            kind = "holds numbers" if prefix is None else f"begins with {prefix!r}"
            raise UsageProblem(f"{self.path}: no column of features: none of [{', '.join(free)}] {kind}")
        return tuple(chosen)

    def features(self, row: str, columns: Sequence[str]) -> Features:
        """The cells of one row as numbers (F,).

        Raises:
            InputError: no such row or column, or a cell that is not a finite number in float32.
        """
        if row not in self.rows:
            raise InputError(f"{self.path}: no row with the path '{row}'")
        line, cells = self.rows[row]
        numbers = np.empty(len(columns), np.float32)
        for i, name in enumerate(columns):
            self._check_column(name)
            number = _number(cells[name])
            if number is None:
                raise InputError(f"{self.path}: row {line}, column {name}: expected a number, got '{cells[name]}'")
            numbers[i] = number
        return numbers

    def equals_target(self, column: str) -> bool:
        """Whether a column is the target once more, in every row."""
        pairs = [(_number(cells[column]), _number(cells.get("target", ""))) for _, cells in self.rows.values()]
        return all(own is not None and own == target for own, target in pairs)

    def _check_column(self, name: str) -> None:
        if name not in self.columns:
            raise UsageProblem(f"{self.path} has no column {name!r}: {closest(name, self.columns)}")

    def _holds_numbers(self, name: str) -> bool:
        bad = [(line, cells[name]) for line, cells in self.rows.values() if _number(cells[name]) is None]
        if bad and len(bad) < len(self.rows):
            line, cell = bad[0]
            raise InputError(
                f"{self.path}: row {line}, column {name}: expected a number as in other rows, got '{cell}'; fill or "
                "remove it, or name the features with --set input.columns=[...] or input.prefix=..."
            )
        return not bad


def _number(cell: str) -> float | None:
    """The number in a cell, finite in float32; None where there is none."""
    try:
        # Python reads 1_000 as a number; in a table it is a slip.
        value = float(cell) if "_" not in cell else math.nan
    except ValueError:
        return None
    return value if abs(value) <= LARGEST else None
