"""The training, validation and test stimuli of a run."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import Stimulus, read_manifest
from rankqa_datasets.split import Split, carve_validation, read_split, split_by_content, split_from_column
from shared_engine.config import DataConfig
from shared_engine.evaluation import group_labels
from shared_engine.mixture import Mixture, find_mixture
from shared_engine.names import UsageProblem


@dataclass(frozen=True)
class Parts:
    """Disjoint in stimuli and in contents; any part but `train` may be empty."""

    train: tuple[Stimulus, ...]
    validation: tuple[Stimulus, ...]
    test: tuple[Stimulus, ...]
    split: Split
    class_column: str | None = None

    @cached_property
    def mixture(self) -> Mixture | None:
        """The databases of the training part, or None if it is of one; see `find_mixture` for what is refused."""
        return find_mixture(self.train)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes of the training part, sorted: a class is the place of its name. None without a column.

        Raises:
            UsageProblem: no such column.
            InputError: all its cells are empty.
        """
        names = sorted(set(self._class_names) - {""})
        if self.class_column is not None and not names:
            raise InputError(
                f"data.classes: the column {self.class_column} is empty in all {len(self.train)} training stimuli"
            )
        return tuple(names)

    @property
    def class_of(self) -> list[int]:
        """The class of each training stimulus, -1 where its cell is empty."""
        return [self.classes.index(name) if name else -1 for name in self._class_names]

    @cached_property
    def _class_names(self) -> list[str]:
        if self.class_column is None:
            return []
        try:
            return [name.strip() for name in group_labels(self.train, self.class_column)]
        except UsageProblem as error:
            raise UsageProblem(f"data.classes: {error}") from None

    @property
    def digest(self) -> str:
        """SHA-256 of ids, targets, parts and classes: equal digests mean that the same numbers are trained and tested
        on.
        """
        rows = [(s.id, s.target, self.split.parts[s.id]) for s in (*self.train, *self.validation, *self.test)]
        classes = [] if self.class_column is None else [list(self.classes), self.class_of]
        return hashlib.sha256(json.dumps(sorted(rows) + classes).encode()).hexdigest()


def read_parts(
    config: DataConfig, *, need_validation: bool, split_file: Path | None = None, files: bool = True
) -> Parts:
    """Read the manifest and divide it as `DataConfig` says.

    Args:
        config: the data table of the run.
        need_validation: carve a validation part out of the training part where there is none.
        split_file: the split that a run has used already; nothing else is looked at then.
        files: whether stimuli are files, see `read_manifest`.

    Raises:
        InputError: from the manifest or the split, or a training part of fewer than two stimuli.
    """
    stimuli = read_manifest(config.manifest, root=config.root, files=files).stimuli
    if split_file is not None:
        split = read_split(split_file, stimuli)
    else:
        split = (
            read_split(config.split, stimuli)
            if config.split is not None
            else split_from_column(stimuli) or split_by_content(stimuli, test=config.test_share, seed=config.split_seed)
        )
        if need_validation and not split.ids("validation"):
            split = carve_validation(stimuli, split, share=config.validation_share, seed=config.split_seed)
    train, validation, test = (_select(stimuli, split, part) for part in ("train", "validation", "test"))
    parts = Parts(train, validation, test, split, config.classes)
    if len(parts.train) < 2:
        raise InputError(f"{config.manifest}: the training part has {len(parts.train)} stimuli, expected at least 2")
    return parts


def _select(stimuli: Sequence[Stimulus], split: Split, part: str) -> tuple[Stimulus, ...]:
    return tuple(s for s in stimuli if split.parts[s.id] == part)
