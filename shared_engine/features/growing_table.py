"""A table of features that is written while it is computed, and continued after a stop."""

import csv
import io
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rankqa_datasets.atomic_file import write_text_atomically
from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest_table import ManifestTable, read_table
from shared_engine.features.table import RESERVED

DIGEST = "digest"
# What a killed command loses at most.
SECONDS_BETWEEN_WRITES = 5.0


class GrowingTable:
    """The rows of a manifest with features behind them, in the manifest's order; each row as soon as it is known.

    The column `digest` says which files a row's features were computed from. Rows that an earlier command has written
    are kept as long as their digest stands; other cells are always those of the manifest.
    """

    def __init__(self, path: Path, manifest: Path, digests: Sequence[str], names: Sequence[str]) -> None:
        """Read what is there.

        Args:
            path: the table; it need not be there.
            manifest: a valid manifest. Its columns that `RESERVED` names go into the table, others do not, so that none
                is taken for a feature.
            digests: of each of its rows.
            names: of the features.

        Raises:
            InputError: `path` is the manifest, not such a table, or holds what would be lost.
        """
        table = read_table(manifest)
        self.path, self.names = path, tuple(names)
        self._columns = [column for column in table.columns if column in RESERVED]
        self._cells = [[cells[column] for column in self._columns] for _, cells in table.rows]
        self._digests = list(digests)
        known = self._read(manifest, table) if path.exists() else {}
        self._features = [known.get(digest) for digest in digests]
        self.kept = sum(row is not None for row in self._features)
        self._written = time.monotonic()

    @property
    def missing(self) -> list[int]:
        """Rows of the manifest, from 0, that have no features yet."""
        return [row for row, features in enumerate(self._features) if features is None]

    def add(self, row: int, features: Mapping[str, float]) -> None:
        """Put features behind a row; the file is written if the last time was a while ago.

        Raises:
            InputError: the file cannot be written.
        """
        self._features[row] = [repr(float(features[name])) for name in self.names]
        if time.monotonic() - self._written > SECONDS_BETWEEN_WRITES:
            self.write()

    def write(self) -> None:
        """Write all rows that have features, atomically; nothing where there is none.

        Raises:
            InputError: the file cannot be written.
        """
        if len(self.missing) == len(self._features):
            return
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*self._columns, DIGEST, *self.names])
        for cells, digest, features in zip(self._cells, self._digests, self._features, strict=True):
            if features is not None:
                writer.writerow([*cells, digest, *features])
        write_text_atomically(self.path, text.getvalue())
        self._written = time.monotonic()

    def _read(self, manifest: Path, table: ManifestTable) -> dict[str, list[str]]:
        """The features of the file that is there, by digest."""
        if self.path.samefile(manifest):
            raise InputError(f"{self.path} is the manifest itself: choose another file for the table")
        there = read_table(self.path)
        if there.problems:
            raise InputError(f"{self.path}: {there.problems[0]}; choose another file for the table")
        own = {*self._columns, DIGEST, *self.names}
        other = next((c for c in there.columns if c not in own and c not in RESERVED), None)
        lacking = next((c for c in (DIGEST, *self.names) if c not in there.columns), None)
        if other or lacking:
            problem = f"has the column '{other}'" if other else f"has no column '{lacking}'"
            raise InputError(f"{self.path} {problem}, so it is no table of these features: choose another file")
        paths = {os.path.normpath(cells["path"]) for _, cells in table.rows}
        for line, cells in there.rows:
            if os.path.normpath(cells["path"]) not in paths:
                raise InputError(
                    f"{self.path}: row {line}: '{cells['path']}' is not in {manifest} and would be lost: choose "
                    "another file for the table"
                )
        rows = {cells[DIGEST]: [cells[name] for name in self.names] for _, cells in there.rows}
        return {digest: cells for digest, cells in rows.items() if all(_is_number(cell) for cell in cells)}


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False
