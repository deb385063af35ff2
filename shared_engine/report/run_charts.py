"""Charts of single runs: how training went, and scores against targets."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from shared_engine.report.drawing import INK, Chart, color, mark_series, new_axes, svg
from shared_engine.report.evidence import Evidence, Outcome
from shared_engine.score_mapping import fit_mapping

MOST_LINES = 40
"""Single runs are drawn behind the means up to so many."""
MOST_POINTS = 400
MEASURES = {
    "validation_srocc": ("SROCC of the validation part", ""),
    "train_srocc": ("SROCC in training", " Scores are those of each step, from weights that moved in between."),
    "loss": ("loss, 1 in the first epoch", " Different losses have different scales and cannot be compared."),
}


def curve_chart(evidence: Evidence, axis: str, group: str, name: str, colors: Mapping[str, int]) -> Chart | None:
    """The course of training, a line for each value of the axis; None where no run has a log of two epochs."""
    runs = [o for o in evidence.outcomes if o.group == group and len(o.log) > 1]
    if not runs:
        return None
    measure = next(key for key in MEASURES if key == "loss" or all(_curve(run, key) for run in runs))
    axes = new_axes(3.2)
    drawn, parts = [], []
    for value in evidence.values(axis):
        curves = [curve for run in runs if run.settings[axis] == value and (curve := _curve(run, measure))]
        if not curves:
            continue
        series, artists = colors[value], []
        if len(runs) <= MOST_LINES and len(curves) > 1:
            for curve in curves:
                artists += axes.plot(list(curve), list(curve.values()), color=color(series), linewidth=0.6, alpha=0.45)
        epochs = sorted(set.intersection(*(set(curve) for curve in curves)))
        means = [math.fsum(curve[epoch] for curve in curves) / len(curves) for epoch in epochs]
        artists += axes.plot(epochs, means, color=color(series), linewidth=2)
        mark_series(artists, series)
        drawn.append((series, value, series % 8))
        if means:
            parts.append(f"{value} from {means[0]:.3f} to {means[-1]:.3f}")
    axes.set_xlabel("epoch")
    axes.set_ylabel(MEASURES[measure][0])
    axes.locator_params(axis="x", integer=True)
    text = f"{MEASURES[measure][0]} over epochs: {'; '.join(parts)}"
    note = f"Means over the runs, thin lines single ones.{MEASURES[measure][1]} The buttons hide and show lines."
    return Chart(name, f"Training, {group}", note, text, svg(axes, name, text), tuple(drawn))


def _curve(run: Outcome, measure: str) -> dict[int, float]:
    curve = {}
    for row in run.log:
        try:
            value, epoch = float(row.get(measure) or "nan"), int(row["epoch"])
        except (KeyError, ValueError):
            continue
        if math.isfinite(value):
            curve[epoch] = value
    if measure == "loss" and curve:
        first = abs(next(iter(curve.values()))) or 1.0
        curve = {epoch: value / first for epoch, value in curve.items()}
    return curve


def middle_run(runs: Sequence[Outcome]) -> Outcome:
    """The run whose SROCC is the median, the lower of two."""
    ordered = sorted(runs, key=lambda run: float(run.summary["srocc"]))
    return ordered[(len(ordered) - 1) // 2]


def scatter_chart(run: Outcome, label: str, name: str, series: int) -> Chart | None:
    """Scores of a run against targets with the fitted logistic; None where it has no two different scores."""
    rows = run.predictions
    scores = np.array([float(row["score"]) for row in rows])
    targets = np.array([float(row["target"]) for row in rows])
    if len(rows) < 2 or np.ptp(scores) == 0 or np.ptp(targets) == 0:
        return None
    step = math.ceil(len(rows) / MOST_POINTS)
    axes = new_axes(3.4)
    axes.plot(scores[::step], targets[::step], "o", color=color(series), markersize=4, alpha=0.6, markeredgewidth=0)
    line = np.linspace(scores.min(), scores.max(), 120)
    mapping = fit_mapping(scores, targets)
    axes.plot(line, mapping(line), color=INK, linewidth=1.8)
    axes.set_xlabel("score")
    axes.set_ylabel("target")
    fit = "4-parameter logistic" if mapping.form == "logistic4" else "line"
    srocc, plcc = run.summary["srocc"], run.summary.get("plcc_mapped")
    text = f"{len(rows)} stimuli: target against score with the fitted {fit}; SROCC {srocc:.4f}"
    note = f"Run {run.id}, the median of its setting: SROCC {srocc:.4f}"
    note += f", PLCC {plcc:.4f} after the {fit}." if plcc is not None else "."
    if step > 1:
        note += f" Every {step}th of {len(rows)} stimuli is drawn; the fit is to all."
    return Chart(name, f"{label}, {run.group}", note, text, svg(axes, name, text))
