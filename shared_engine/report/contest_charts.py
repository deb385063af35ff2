"""Charts of a contest: mean ranks with bars over what is not shown to differ, and means with intervals."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from shared_engine.report.contest import Contest
from shared_engine.report.drawing import INK, Chart, color, mark_series, marker, new_axes, svg
from shared_engine.report.estimate import block_of, estimate, split_ratio
from shared_engine.report.evidence import Evidence, is_number

MOST_CANDIDATES = 24
"""More lines in a chart cannot be told apart; the table has all."""


def rank_chart(contest: Contest, name: str) -> Chart | None:
    """Mean ranks in the style of a critical-difference diagram; None where there is nothing to rank."""
    shown = [one for one in contest.candidates if math.isfinite(one.rank)][:MOST_CANDIDATES]
    if len(shown) < 2:
        return None
    shown.sort(key=lambda one: one.rank)
    ranks = [one.rank for one in shown]
    bars = _level_bars(contest, [one.name for one in shown])
    axes = new_axes(1.0 + 0.16 * len(shown) + 0.16 * len(bars))
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.spines["top"].set_visible(True)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("mean rank (1 is the best)")
    axes.set_yticks([])
    low, high = min(ranks), max(ranks)
    span = max(high - low, 0.5)
    margin = 0.05 * span
    top = 0.6 * len(bars) + 0.6
    axes.spines["top"].set_bounds(low - margin, high + margin)
    # Names stand beside the lines, half of them on each side.
    axes.set_xlim(low - margin - 0.75 * span, high + margin + 0.75 * span)
    axes.set_xticks([tick for tick in axes.get_xticks() if low - margin <= tick <= high + margin])
    half = math.ceil(len(shown) / 2)
    axes.set_ylim(-half - 0.2, top)
    for i, one in enumerate(shown):
        left = i < half
        y = -float(i if left else len(shown) - 1 - i) - 0.6
        end = low - margin if left else high + margin
        axes.plot([one.rank, one.rank, end], [top, y, y], color=INK, linewidth=0.9)
        axes.annotate(
            _short(one.name), (end, y), (-4 if left else 4, 0), textcoords="offset points", va="center", color=INK,
            ha="right" if left else "left",
        )  # fmt: skip
    for level, (first, last) in enumerate(bars):
        y = top - 0.5 - 0.6 * level
        axes.plot([ranks[first] - margin / 3, ranks[last] + margin / 3], [y, y], color=color(0), linewidth=4)
    text = "Mean ranks: " + ", ".join(f"{one.name} {one.rank:.2f}" for one in shown)
    groups = [f"{shown[a].name} to {shown[b].name}" for a, b in bars]
    text += f". No difference shown from {'; from '.join(groups)}." if groups else ". All differ."
    note = (
        f"Mean rank over combinations of the other settings ({contest.shared}). A bar joins settings of which no "
        "difference is shown (paired test on SROCC, Holm over all pairs)."
    )
    return Chart(name, f"Ranks of {contest.axis}, {contest.group}", note, text, svg(axes, name, text))


def _level_bars(contest: Contest, names: Sequence[str]) -> list[tuple[int, int]]:
    """Longest stretches of the order, from first to last, in which no pair is shown to differ."""
    found: list[tuple[int, int]] = []
    for first in range(len(names)):
        last = first
        while last + 1 < len(names) and not any(
            contest.differ(names[last + 1], names[i]) for i in range(first, last + 1)
        ):
            last += 1
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found


def mean_chart(contest: Contest, name: str, colors: Mapping[str, int]) -> Chart:
    """Mean SROCC of each candidate with its interval, from best to worst."""
    shown = contest.candidates[:MOST_CANDIDATES]
    axes = new_axes(0.8 + 0.3 * len(shown))
    for i, one in enumerate(shown):
        series = colors.get(one.name, 0)
        if one.score.interval is not None:
            axes.plot(one.score.interval, [-i, -i], color=color(series), linewidth=2)
        axes.plot([one.score.mean], [-i], marker(series), color=color(series), markersize=7)
    axes.set_yticks([-i for i in range(len(shown))], [_short(one.name) for one in shown])
    axes.set_ylim(-len(shown) + 0.4, 0.6)
    axes.set_xlabel("SROCC, 95 % interval")
    text = "; ".join(f"{one.name} {one.score.mean:.4f}" for one in shown)
    note = "Intervals of a mean overlap even where the paired difference is clear: read differences from the table."
    return Chart(name, f"SROCC by {contest.axis}, {contest.group}", note, text, svg(axes, name, text))


def axis_chart(
    evidence: Evidence, axis: str, series_axis: str, group: str, name: str, colors: Mapping[str, int]
) -> Chart | None:
    """SROCC against the values of an axis, a line for each value of the other one; None where there is no change."""
    outcomes = [o for o in evidence.outcomes if o.group == group and o.summary.get("srocc") is not None]
    values = [value for value in evidence.values(axis) if any(o.settings[axis] == value for o in outcomes)]
    lines = [value for value in evidence.values(series_axis) if any(o.settings[series_axis] == value for o in outcomes)]
    if len(values) < 2:
        return None
    ratio = split_ratio(outcomes)
    numeric = all(is_number(value) for value in values)
    places = np.array([float(value) for value in values]) if numeric else np.arange(len(values), dtype=np.float64)
    logarithmic = numeric and places.min() > 0 and places.max() / places.min() >= 8
    axes = new_axes(3.4)
    if logarithmic:
        axes.set_xscale("log", base=2)
    drawn, parts = [], []
    for line in lines[:MOST_CANDIDATES]:
        points = []
        for place, value in zip(places, values, strict=True):
            own = [o for o in outcomes if o.settings[axis] == value and o.settings[series_axis] == line]
            if own:
                found = estimate({block_of(o, axis): float(o.summary["srocc"]) for o in own}, test_to_train=ratio)
                points.append((place, value, found))
        if not points:
            continue
        series = colors[line]
        x, y = [p for p, _, _ in points], [e.mean for _, _, e in points]
        artists = axes.plot(x, y, marker=marker(series), color=color(series), linewidth=1.6, markersize=5)
        for place, _, found in points:
            if found.interval is not None:
                artists += axes.plot([place, place], found.interval, color=color(series), linewidth=1.2, alpha=0.7)
        mark_series(artists, series)
        drawn.append((series, line, series % 8))
        parts.append(f"{line}: " + ", ".join(f"{e.mean:.3f} at {value}" for _, value, e in points))
    axes.set_xticks(places, [_short(value) for value in values], rotation=0 if len(values) < 7 else 45)
    axes.minorticks_off()
    axes.set_xlabel(axis)
    axes.set_ylabel("SROCC")
    text = "SROCC " + "; ".join(parts)
    note = "Mean with 95 % interval over repetitions. The buttons hide and show lines."
    return Chart(name, f"SROCC against {axis}, {group}", note, text, svg(axes, name, text), tuple(drawn))


def _short(name: str) -> str:
    return name if len(name) <= 22 else f"{name[:10]}…{name[-11:]}"
