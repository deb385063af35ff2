"""SROCC within contents and within types of distortion, and the stimuli that are misjudged most."""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shared_engine.criteria import srocc
from shared_engine.report.drawing import Chart, color, mark_series, new_axes, svg
from shared_engine.report.evidence import Outcome
from shared_engine.score_mapping import fit_mapping

LEAST_STIMULI = 4
"""Fewer have no SROCC to speak of."""
MOST_BARS = 20

Row = Mapping[str, str]


def content_of(row: Row) -> str:
    """The content of a stimulus."""
    return row.get("content") or ""


def distortion_of(row: Row) -> str:
    """The type of distortion: the recipe without a level at its end; '' where there is no recipe."""
    return re.sub(r"[-_ ]*(?:level)?[-_ ]*\d+(?:\.\d+)?$", "", row.get("recipe") or "")


GROUPINGS: dict[str, tuple[Callable[[Row], str], str]] = {
    "content": (content_of, "SROCC within each content"),
    "distortion": (distortion_of, "SROCC within each type of distortion"),
}


def srocc_within(runs: Sequence[Outcome], group_of: Callable[[Row], str]) -> dict[str, float]:
    """SROCC within each group of stimuli, mean over the runs that have it."""
    found: dict[str, list[float]] = defaultdict(list)
    for run in runs:
        groups: dict[str, list[Row]] = defaultdict(list)
        for row in run.predictions:
            groups[group_of(row)].append(row)
        for group, rows in groups.items():
            if group and len(rows) >= LEAST_STIMULI:
                scores, targets = (np.array([float(row[key]) for row in rows]) for key in ("score", "target"))
                value = srocc(scores, targets)
                if value is not None:
                    found[group].append(value)
    return {group: math.fsum(values) / len(values) for group, values in found.items()}


def group_chart(
    runs: Mapping[str, Sequence[Outcome]], by: str, group: str, name: str, colors: Mapping[str, int]
) -> Chart | None:
    """Bars for each content or distortion, side by side for a few settings; None where there is one group or none."""
    group_of, title = GROUPINGS[by]
    values = {label: srocc_within(own, group_of) for label, own in runs.items()}
    first = next(iter(values.values()))
    # The worst first: they are what one looks for.
    groups = sorted(first, key=lambda key: first[key])
    if len(groups) < 2:
        return None
    shown = groups[:MOST_BARS]
    axes = new_axes(0.8 + (0.16 + 0.12 * len(runs)) * len(shown))
    thickness = 0.8 / len(runs)
    drawn = []
    for i, (label, own) in enumerate(values.items()):
        places = [-row + 0.4 - (i + 0.5) * thickness for row in range(len(shown))]
        bars = axes.barh(places, [own.get(key, 0.0) for key in shown], thickness * 0.9, color=color(colors[label]))
        mark_series(bars, colors[label])
        drawn.append((colors[label], label, colors[label] % 8))
    axes.set_yticks([-row for row in range(len(shown))], [key[-22:] for key in shown])
    axes.set_ylim(-len(shown) + 0.4, 0.6)
    axes.set_xlabel("SROCC")
    text = "; ".join(f"{key} " + ", ".join(f"{own.get(key, math.nan):.3f}" for own in values.values()) for key in shown)
    text = f"{title}, {' and '.join(values)}: {text}"
    note = "Mean over the runs, the lowest first."
    if len(groups) > len(shown):
        note += f" The {len(shown)} lowest of {len(groups)}."
    return Chart(name, f"{title}, {group}", note, text, svg(axes, name, text), tuple(drawn))


@dataclass(frozen=True)
class Misjudged:
    """A stimulus, its target, the mean mapped score over the runs, and how many runs had it in the test part."""

    id: str
    target: float
    mapped: float
    runs: int
    run: Outcome


def misjudged(runs: Sequence[Outcome], count: int) -> list[Misjudged]:
    """Those whose mapped scores are farthest from the target, over all runs of a setting."""
    scores: dict[str, list[float]] = defaultdict(list)
    targets: dict[str, tuple[float, Outcome]] = {}
    for run in runs:
        rows = run.predictions
        own, truth = (np.array([float(row[key]) for row in rows]) for key in ("score", "target"))
        if len(rows) < 2 or np.ptp(own) == 0 or np.ptp(truth) == 0:
            continue
        for row, mapped in zip(rows, fit_mapping(own, truth)(own).tolist(), strict=True):
            scores[row["id"]].append(mapped)
            targets[row["id"]] = (float(row["target"]), run)
    found = [
        Misjudged(name, targets[name][0], math.fsum(values) / len(values), len(values), targets[name][1])
        for name, values in scores.items()
    ]
    return sorted(found, key=lambda one: (-abs(one.mapped - one.target), one.id))[:count]
