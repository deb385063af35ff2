"""Criteria with intervals for a set of predictions: overall, and by content or any other grouping."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import Stimulus
from shared_engine.criteria import compute_criteria
from shared_engine.intervals import bonett_wright_interval, bootstrap_intervals
from shared_engine.mixture import database_of, rows_by_database
from shared_engine.names import UsageProblem, closest
from shared_engine.score_mapping import Form, fit_mapping

Array = NDArray[np.float64]


def summarise(stimuli: Sequence[Stimulus], scores: Array, *, form: Form = "logistic4") -> dict[str, Any]:
    """Criteria of the stimuli with 95 % intervals, as a plain tree for result.json.

    `form` is the mapping before PLCC and RMSE, see `fit_mapping`.
    """
    targets = np.array([s.target for s in stimuli])
    mapping = fit_mapping(scores, targets, form) if np.ptp(scores) > 0 else None
    criteria = compute_criteria(scores, targets, opinion_spread(stimuli), mapping=mapping)
    intervals = bootstrap_intervals(scores, targets, [s.content for s in stimuli], mapping=mapping)
    summary = asdict(criteria) | {"contents": len({s.content for s in stimuli}), "intervals": asdict(intervals)}
    summary["srocc_bonett_wright"] = (
        None if criteria.srocc is None else bonett_wright_interval(criteria.srocc, criteria.n)
    )
    return summary


def summarise_databases(
    stimuli: Sequence[Stimulus], scores: Array, part: str, *, form: Form = "logistic4"
) -> dict[str, dict[str, Any]]:
    """`summarise` under the name of the part; of several databases each on its own, as "part, database".

    Opinions of different databases are on different scales: criteria over all of them would mean nothing.
    """
    groups = rows_by_database(stimuli)
    if len(groups) == 1:
        return {part: summarise(stimuli, scores, form=form)}
    return {
        f"{part}, {name}": summarise([stimuli[i] for i in rows], scores[rows], form=form)
        for name, rows in groups.items()
    }


def mean_within(
    criterion: Callable[[Array, Array], float | None], stimuli: Sequence[Stimulus], scores: Array
) -> float | None:
    """A criterion of scores and targets, as its mean over the databases; None where it is undefined in one of them."""
    targets = np.array([s.target for s in stimuli])
    values = [criterion(scores[rows], targets[rows]) for rows in rows_by_database(stimuli).values()]
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def summarise_by(
    stimuli: Sequence[Stimulus], scores: Array, column: str, *, form: Form = "logistic4"
) -> dict[str, dict[str, Any]]:
    """Criteria within each group of stimuli that agree in a manifest column.

    Raises:
        UsageProblem: no such column.
    """
    labels = group_labels(stimuli, column)
    groups: dict[str, dict[str, Any]] = {}
    for label in sorted(set(labels)):
        rows = [i for i, own in enumerate(labels) if own == label]
        members = [stimuli[i] for i in rows]
        targets = np.array([s.target for s in members])
        mapping = fit_mapping(scores[rows], targets, form) if np.ptp(scores[rows]) > 0 else None
        groups[label] = asdict(compute_criteria(scores[rows], targets, opinion_spread(members), mapping=mapping))
    return groups


def group_labels(stimuli: Sequence[Stimulus], column: str) -> list[str]:
    """The cell of each stimulus in `content`, `recipe` or a column of the user's own; '' where it is empty."""
    known = {"content", "recipe"}.union(*(s.extra for s in stimuli))
    if column not in known:
        raise UsageProblem(f"no column {column!r} to group by: {closest(column, known)}")
    if column in ("content", "recipe"):
        return [getattr(s, column) or "" for s in stimuli]
    return [s.extra.get(column, "") for s in stimuli]


def opinion_spread(stimuli: Sequence[Stimulus]) -> Array:
    """Standard deviation of the opinions (N,), NaN where unknown."""
    return np.array([np.nan if s.target_std is None else s.target_std for s in stimuli])


Baselines = Callable[[Stimulus, Sequence[str] | None], Mapping[str, float]]
"""Those of a modality: values by name, of all names or of some."""


def baseline_scores(
    stimuli: Sequence[Stimulus], baselines: Baselines, names: Sequence[str] | None = None
) -> dict[str, tuple[list[Stimulus], Array]]:
    """Full-reference values of those stimuli that have a reference, and allow the baseline; with a progress bar.

    An infinite value (a stimulus equal to its reference) becomes the largest finite one plus one: the order is kept
    and the criteria stay defined.

    Raises:
        InputError: a reference that cannot be read, or a value that is not a number.
    """
    values_of: dict[str, list[tuple[Stimulus, float]]] = {}
    with_reference = [s for s in stimuli if s.reference is not None]
    for s in tqdm(with_reference, "comparing", leave=False, disable=None):
        for name, value in baselines(s, names).items():
            if np.isnan(value):
                raise InputError(f"{name} of {s.path} against {s.reference} is not a number")
            values_of.setdefault(name, []).append((s, value))
    return {name: ([s for s, _ in found], _finite([v for _, v in found])) for name, found in values_of.items()}


def _finite(values: Sequence[float]) -> Array:
    array = np.array(values, np.float64)
    finite = array[np.isfinite(array)]
    return np.where(np.isposinf(array), (finite.max() if finite.size else 0.0) + 1.0, array)


def summarise_baselines(
    stimuli: Sequence[Stimulus],
    baselines: Baselines,
    names: Sequence[str] | None = None,
    *,
    form: Form = "logistic4",
) -> dict[str, dict[str, Any]]:
    """Criteria of `baseline_scores`; a baseline that fewer than two stimuli allow is left out."""
    summaries = {}
    for name, (compared, values) in baseline_scores(stimuli, baselines, names).items():
        if len(compared) >= 2:
            summaries |= summarise_databases(compared, values, name, form=form)
    return summaries


def prediction_rows(stimuli: Sequence[Stimulus], scores: Array, part: str) -> list[dict[str, Any]]:
    """Rows of predictions.csv; scores with all their digits. The database stands where the manifest names one."""
    return [
        {
            "id": s.id,
            "content": s.content,
            "score": repr(float(score)),
            "target": repr(s.target),
            "target_std": "" if s.target_std is None else repr(s.target_std),
            "votes": "" if s.votes is None else s.votes,
            "split": part,
            "recipe": s.recipe or "",
        }
        | ({"database": database_of(s)} if database_of(s) else {})
        for s, score in zip(stimuli, scores, strict=True)
    ]
