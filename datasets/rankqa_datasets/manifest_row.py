"""From the cells of one row of a manifest to a stimulus."""

import math
import os
from pathlib import Path

from rankqa_datasets.manifest_table import KNOWN, Problem
from rankqa_datasets.stimulus import PARTS, Stimulus


class ManifestRow:
    """The cells of one line on their way to a Stimulus; faults gather in `problems`.

    Without `files` the root is the table itself, and a stimulus lies in it as a file lies in a folder.
    """

    def __init__(self, line: int, cells: dict[str, str], root: Path, *, files: bool = True) -> None:
        self.line, self.cells, self.root, self.files = line, cells, root, files
        self.problems: list[Problem] = []

    def stimulus(self) -> Stimulus | None:
        """The stimulus, or None if a cell of its row is wrong."""
        name, reference_name = self.cells["path"], self.cells.get("reference", "")
        path = self._file("path", name)
        reference = self._file("reference", reference_name) if reference_name else None
        target = self._number("target", required=True)
        target_std = self._number("target_std")
        if target_std is not None and target_std < 0:
            self._fault("target_std", f"expected a number of at least 0, got {self.cells['target_std']}")
        votes = self._number("votes")
        if votes is not None and (votes < 1 or votes != int(votes)):
            self._fault("votes", f"expected a positive whole number, got {self.cells['votes']}")
        split = self.cells.get("split") or None
        if split is not None and split not in PARTS:
            self._fault("split", f"expected train, validation or test, got '{split}'")
        if self.problems or path is None or target is None:
            return None
        return Stimulus(
            id=name,
            path=path,
            target=target,
            reference=reference,
            # Distortions of one reference must never part ways, so it stands in for the content before the id does.
            content=self.cells.get("content") or _normal(reference_name) or name,
            target_std=target_std,
            votes=None if votes is None else int(votes),
            recipe=self.cells.get("recipe") or None,
            split=split,
            extra={column: cell for column, cell in self.cells.items() if column not in KNOWN},
        )

    def _fault(self, column: str, message: str) -> None:
        self.problems.append(Problem(self.line, column, message))

    def _number(self, column: str, *, required: bool = False) -> float | None:
        cell = self.cells.get(column, "")
        if not cell and not required:
            return None
        try:
            # Python reads 1_000 as a number; in a table it is a slip.
            value = float(cell) if "_" not in cell else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            self._fault(column, f"expected a finite number, got '{cell}'")
            return None
        return value

    def _file(self, column: str, name: str) -> Path | None:
        if not name:
            self._fault(column, "expected a file name, got an empty cell")
            return None
        if Path(name).is_absolute():
            self._fault(column, f"expected a path relative to {self.root}, got the absolute '{name}'")
            return None
        try:
            # Without following links first: `a/../b` means b, whatever a links to.
            path = Path(os.path.normpath(self.root / name))
            inside = path.is_relative_to(self.root) and path.resolve().is_relative_to(self.root)
            is_there = path.is_file() if self.files else path != self.root
        except (OSError, RuntimeError):  # a name too long, or links in a circle
            inside, is_there, path = True, False, self.root / name
        if not inside:
            self._fault(column, f"'{name}' leads out of {self.root}; set the root to a folder above both")
        elif not is_there:
            self._fault(column, f"no such file: '{name}' in {self.root}")
        return path if inside and is_there else None


def _normal(name: str) -> str:
    return os.path.normpath(name) if name else ""
