"""Which run of one model is compared with which of another."""

from collections.abc import Sequence

from rankqa_datasets.errors import InputError
from shared_engine.predictions import FinishedRun

Pair = tuple[FinishedRun, FinishedRun]


def pair_runs(first: Sequence[FinishedRun], second: Sequence[FinishedRun]) -> list[Pair]:
    """One run with one; else those of equal seed and split, sorted by split.

    Raises:
        InputError: a run without a partner, two of one seed and split on one side, or a pair on different splits,
            stimuli, targets, contents or databases.
    """
    if len(first) == len(second) == 1:
        return [_checked(first[0], second[0])]
    sides: list[dict[tuple[str, int], FinishedRun]] = []
    for runs in (first, second):
        side: dict[tuple[str, int], FinishedRun] = {}
        for run in runs:
            other = side.setdefault((run.split, run.seed), run)
            if other is not run:
                raise InputError(f"{other.folder} and {run.folder} have the same seed {run.seed} and split on one side")
        sides.append(side)
    for own, others in (sides, sides[::-1]):
        for key, run in own.items():
            if key not in others:
                raise InputError(
                    f"{run.folder} (seed {run.seed}, split {run.split[:12]}) has no partner of that seed and split"
                )
    return [_checked(sides[0][key], sides[1][key]) for key in sorted(sides[0])]


def _checked(a: FinishedRun, b: FinishedRun) -> Pair:
    if a.split != b.split:
        raise InputError(f"{a.folder} and {b.folder} have different splits: {a.split[:12]} and {b.split[:12]}")
    x, y = a.predictions, b.predictions
    if x.ids != y.ids:
        id_ = min(set(x.ids) ^ set(y.ids))
        only = a.folder if id_ in x.ids else b.folder
        raise InputError(f"{a.folder} and {b.folder} have different stimuli: {id_!r} is in {only} only")
    for name, own, other in (
        ("target", x.targets.tolist(), y.targets.tolist()),
        ("content", x.contents, y.contents),
        ("database", x.databases, y.databases),
    ):
        for id_, one, two in zip(x.ids, own, other, strict=True):
            if one != two:
                raise InputError(f"{a.folder} and {b.folder} have different {name}s: {one} and {two} for {id_!r}")
    return a, b
