"""Results of many runs, one row for each setting: mean, spread and interval over seeds and splits."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from scipy import special

from shared_engine.names import UsageProblem, closest
from shared_engine.run_results import RunResult, RunResults, look_up

CRITERIA = {
    "srocc": "SROCC",
    "krocc": "KROCC",
    "plcc_mapped": "PLCC",
    "plcc": "PLCC, raw scores",
    "rmse": "RMSE",
    "outlier_ratio": "outlier ratio",
    "seconds": "seconds",
}

# Repetitions of one setting, not settings.
REPEATS = ("seed", "data.split", "data.split_seed")


@dataclass(frozen=True)
class Summary:
    """A criterion over the n runs of a setting in which it is defined, and in how many it is not.

    The interval is Student's t at 95 %; `sd` (n - 1) and interval are None for fewer than two runs.
    """

    n: int
    undefined: int
    mean: float | None
    sd: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ResultsTable:
    """One row for each setting.

    Attributes:
        keys: what the first cells of a row are: `part` where there are several, axes of sweeps, and keys of the
            configuration.
        criteria: the summaries of each row, named as in result.json.
        rows: cells and summaries, numbers in order of size, other cells in that of the alphabet.
        left_out: runs that do not count, each with the reason.
        repeats: which keys of `REPEATS` differ between the runs that a row sums up.
    """

    keys: tuple[str, ...]
    criteria: tuple[str, ...]
    rows: list[tuple[tuple[str, ...], tuple[Summary, ...]]]
    left_out: list[tuple[str, str]]
    repeats: tuple[str, ...]


def results_table(
    results: RunResults, *, by: Sequence[str] = (), criteria: Sequence[str] = ("srocc",), part: str = "test"
) -> ResultsTable:
    """The finished runs, grouped by axes of their sweep or keys of their configuration.

    Args:
        results: from `collect_results`.
        by: axes of the sweep, and dotted keys such as `objective.terms.0.name`; by default those that tell the runs
            apart, seed and split aside.
        criteria: names in `CRITERIA`.
        part: test or validation. A run over several databases has a row for each.

    Raises:
        UsageProblem: a key that is no axis and that no configuration has.
    """
    counted, left_out = [], list(results.left_out)
    for run in results.finished:
        names = [name for name in run.parts if name == part or name.startswith(f"{part}, ")]
        reason = None if names else f"it has no {part} part"
        for name in names:
            reason = reason or _unusable(_values(run, name), criteria)
        if reason is None:
            counted.append((run, names))
        else:
            left_out.append((run.folder, reason))
    runs = [run for run, _ in counted]
    keys = tuple(by) or _telling_keys(runs)
    _check_keys(keys, runs)
    several_parts = len({name for _, names in counted for name in names}) > 1
    values: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    members: dict[tuple[str, ...], list[RunResult]] = {}
    for run, names in counted:
        setting = _cells(run, keys)
        for name in names:
            cells = (name, *setting) if several_parts else setting
            values.setdefault(cells, []).append(_values(run, name))
            members.setdefault(cells, []).append(run)
    rows = [
        (cells, tuple(_summarise([one[criterion] for one in values[cells]]) for criterion in criteria))
        for cells in sorted(values, key=lambda cells: [_order(cell) for cell in cells])
    ]
    repeats = tuple(
        key
        for key in REPEATS
        if any(len({shown(look_up(run.config, key)) for run in group}) > 1 for group in members.values())
    )
    return ResultsTable((("part",) if several_parts else ()) + keys, tuple(criteria), rows, left_out, repeats)


def _values(run: RunResult, part: str) -> dict[str, Any]:
    """Criteria of a part, and what the whole run took."""
    return run.parts[part] | {"seconds": run.seconds}


def _cells(run: RunResult, keys: Sequence[str]) -> tuple[str, ...]:
    """The labels of axes of the run's sweep, and the values of other keys in its configuration."""
    settings = run.settings or {}
    return tuple(shown(settings[key] if key in settings else look_up(run.config, key)) for key in keys)


def _telling_keys(runs: Sequence[RunResult]) -> tuple[str, ...]:
    """What tells the runs apart: the axes of their sweeps, and keys in which runs of equal labels still differ."""
    if any(run.settings is None for run in runs):
        return differing_keys(runs)
    names = [name for name in dict.fromkeys(name for run in runs for name in run.settings or {}) if name not in REPEATS]
    axes = tuple(name for name in names if _is_setting(name, [other for other in names if other != name], runs))
    left = dict.fromkeys(key for group in _groups(runs, axes) for key in differing_keys(group))
    return axes + tuple(key for key in left if key not in axes)


def _is_setting(axis: str, others: Sequence[str], runs: Sequence[RunResult]) -> bool:
    """Whether several labels of the axis occur, and not for repetitions alone, as where it names the folds."""
    if len({_cells(run, [axis]) for run in runs}) < 2:
        return False
    several = [group for group in _groups(runs, others) if len({_cells(run, [axis]) for run in group}) > 1]
    return not several or any(differing_keys(group) for group in several)


def _groups(runs: Sequence[RunResult], keys: Sequence[str]) -> list[list[RunResult]]:
    """Runs that agree in the keys."""
    groups: dict[tuple[str, ...], list[RunResult]] = {}
    for run in runs:
        groups.setdefault(_cells(run, keys), []).append(run)
    return list(groups.values())


def differing_keys(runs: Sequence[RunResult]) -> tuple[str, ...]:
    """Dotted keys whose values differ between the runs, in the order of the configuration, without `REPEATS`.

    A key that is absent is as one that is none. Of keys of one table that tell the same runs apart the first stands
    for all: where a bank differs from no bank, all of its options differ too.
    """
    chosen: dict[tuple[str, tuple[int, ...]], str] = {}
    for key, values in _columns([run.config for run in runs], "", only_differing=True):
        if key not in REPEATS:
            number: dict[str, int] = {}
            partition = tuple([number.setdefault(shown(value), len(number)) for value in values])
            chosen.setdefault((key.rpartition(".")[0], partition), key)
    return tuple(chosen.values())


def _columns(values: list[Any], key: str, *, only_differing: bool) -> Iterator[tuple[str, list[Any]]]:
    """The values of all runs under each dotted key; a table in a list has its number in the key."""
    if only_differing and all(value == values[0] for value in values):
        return
    tables = [_as_table(value) for value in values]
    names = dict.fromkeys(name for table in tables if table for name in table)
    # A table in some runs and none in others counts as a table; a number in others does not.
    if not names or any(table is None and value is not None for table, value in zip(tables, values, strict=True)):
        yield key, values
        return
    for name in names:
        below = [table.get(name) if table else None for table in tables]
        yield from _columns(below, f"{key}.{name}" if key else name, only_differing=only_differing)


def _as_table(value: Any) -> dict[str, Any] | None:
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return {str(i): item for i, item in enumerate(value)}
    return value if isinstance(value, dict) else None


def shown(value: Any) -> str:
    """A value of a configuration as a cell."""
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)


def _check_keys(keys: Sequence[str], runs: Sequence[RunResult]) -> None:
    axes = {name for run in runs for name in run.settings or {}}
    for key in keys:
        if runs and key not in axes and all(look_up(run.config, key) is None for run in runs):
            known = {name for name, _ in _columns([run.config for run in runs], "", only_differing=False)}
            if key not in known:
                raise UsageProblem(f"no run has {key!r} as an axis or a key: {closest(key, axes | known)}")


def _unusable(summary: dict[str, Any], criteria: Sequence[str]) -> str | None:
    """Why the criteria of a part cannot be read, or None if they can."""
    for name in criteria:
        value = summary.get(name, "")
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            return f"damaged: its result.json has no number for {name}"
        if value is not None and not math.isfinite(value):
            return f"damaged: its {name} is {value}"
    return None


def _summarise(values: Sequence[float | None]) -> Summary:
    known = [float(value) for value in values if value is not None]
    n, undefined = len(known), len(values) - len(known)
    if n == 0:
        return Summary(n, undefined, None, None, None, None)
    mean = math.fsum(known) / n
    if n == 1:
        return Summary(n, undefined, mean, None, None, None)
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in known) / (n - 1))
    # scipy.stats has the same quantile, and takes as long to import as a thousand results to read.
    half = float(special.stdtrit(n - 1, 0.975)) * sd / math.sqrt(n)
    return Summary(n, undefined, mean, sd, mean - half, mean + half)


def _order(cell: str) -> tuple[int, float, str]:
    try:
        number = float(cell)
    except ValueError:
        return (1, 0.0, cell)
    return (0, number, cell) if math.isfinite(number) else (1, 0.0, cell)
