"""Several databases in one training set: their stimuli are never compared with each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import Stimulus

COLUMN = "database"


def database_of(stimulus: Stimulus) -> str:
    """The cell of the manifest's column `database`; empty where there is none."""
    return stimulus.extra.get(COLUMN, "")


def rows_by_database(stimuli: Sequence[Stimulus]) -> dict[str, list[int]]:
    """Positions of the stimuli of each database, names sorted; a single entry if all are of one."""
    names = [database_of(s) for s in stimuli]
    return {name: [i for i, own in enumerate(names) if own == name] for name in sorted(set(names))}


@dataclass(frozen=True)
class Mixture:
    """The databases of a training set, and each row's place in its own.

    Attributes:
        names: the databases, sorted.
        database: (N,) index of each training row's database.
        place: (N,) number of the row within its database, from 0.
        location: (D,) mean of the training targets of each database.
        scale: (D,) their standard deviation.
    """

    names: tuple[str, ...]
    database: Tensor
    place: Tensor
    location: Tensor
    scale: Tensor

    @property
    def sizes(self) -> tuple[int, ...]:
        """Training rows of each database."""
        return tuple(self.database.bincount(minlength=len(self.names)).tolist())

    def standardise(self, rows: Tensor, targets: Tensor, target_std: Tensor) -> tuple[Tensor, Tensor]:
        """Targets and their spread in units of their own database's: mean 0 and standard deviation 1."""
        database = self.database.to(rows.device)[rows]
        scale = self.scale.to(targets)[database]
        return (targets - self.location.to(targets)[database]) / scale, target_std / scale


def find_mixture(stimuli: Sequence[Stimulus]) -> Mixture | None:
    """The mixture that the training stimuli are, or None if they are of one database.

    Raises:
        InputError: a database whose targets are all equal, or some stimuli with and some without a database.
    """
    groups = rows_by_database(stimuli)
    if len(groups) == 1:
        return None
    if "" in groups:
        first = stimuli[groups[""][0]]
        raise InputError(f"{first.id} has an empty cell in the column {COLUMN}, which other stimuli have filled")
    database, place = np.empty(len(stimuli), np.int64), np.empty(len(stimuli), np.int64)
    location, scale = [], []
    for index, (name, rows) in enumerate(groups.items()):
        targets = np.array([stimuli[row].target for row in rows])
        if np.ptp(targets) == 0:
            raise InputError(f"all {len(rows)} training targets of {name} are {targets[0]:g}: there is nothing to rank")
        database[rows], place[rows] = index, np.arange(len(rows))
        location.append(targets.mean())
        scale.append(targets.std())
    return Mixture(
        tuple(groups), torch.from_numpy(database), torch.from_numpy(place), torch.tensor(location), torch.tensor(scale)
    )
