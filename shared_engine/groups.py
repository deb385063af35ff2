"""Stimuli that agree in columns of the manifest, such as the levels of one distortion of one photograph."""

from collections.abc import Sequence

import torch
from torch import Tensor

from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import Stimulus
from shared_engine.evaluation import group_labels


def rows_that_agree(stimuli: Sequence[Stimulus], columns: Sequence[str]) -> list[list[int]]:
    """Positions of the stimuli of each group, in the order of their first stimulus; groups of one are left out.

    Raises:
        UsageProblem: no such column.
        InputError: no two stimuli agree.
    """
    keys = list(zip(*(group_labels(stimuli, column) for column in columns), strict=True))
    groups: dict[tuple[str, ...], list[int]] = {}
    for row, key in enumerate(keys):
        groups.setdefault(key, []).append(row)
    found = [rows for rows in groups.values() if len(rows) > 1]
    if not found:
        raise InputError(f"no two training stimuli agree in {', '.join(columns)}: there is nothing to compare")
    return found


def group_numbers(groups: Sequence[Sequence[int]]) -> Tensor:
    """The number of each row's group (N,), -1 for rows of none; N is the last row of a group plus one."""
    numbers = torch.full((max(max(rows) for rows in groups) + 1,), -1)
    for number, rows in enumerate(groups):
        numbers[list(rows)] = number
    return numbers
