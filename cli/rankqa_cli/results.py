"""Results as a table of plain text."""

from collections.abc import Mapping, Sequence
from typing import Any

MAPPINGS = {
    "logistic4": "a 4-parameter logistic",
    "logistic5": "a 5-parameter logistic",
    "cubic": "a cubic",
    "linear": "a line",
}
COLUMNS = (("srocc", "SROCC"), ("plcc_mapped", "PLCC"), ("krocc", "KROCC"), ("rmse", "RMSE"))


def criteria_row(name: str, summary: Mapping[str, Any]) -> list[str]:
    """Name, number of stimuli and contents, and each criterion with its 95 % interval."""
    cells = [name, str(summary["n"]), str(summary.get("contents", ""))]
    intervals = summary.get("intervals") or {}
    for key, _ in COLUMNS:
        value, interval = summary[key], intervals.get(key)
        text = "undefined" if value is None else f"{value:.3f}"
        cells.append(text if interval is None else f"{text} [{interval[0]:.3f}, {interval[1]:.3f}]")
    return cells


def criteria_table(rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns under a header, as for `criteria_row`."""
    return text_table(["", "stimuli", "contents", *(title for _, title in COLUMNS)], rows)


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded to their widest cell."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def result_table(result: Mapping[str, Any]) -> str:
    """The parts and baselines of a result.json, with what the numbers mean."""
    rows = [criteria_row(f"{result['recipe'] or 'model'}, {part}", s) for part, s in result["parts"].items()]
    rows += [criteria_row(f"{name}, test", summary) for name, summary in result["baselines"].items()]
    if not rows:
        return "no validation or test part: nothing was evaluated"
    return f"{criteria_table(rows)}\n{interval_note(result['parts'])}"


def interval_note(summaries: Mapping[str, Mapping[str, Any]], form: str = "logistic4") -> str:
    """What was resampled for the intervals, and what PLCC and RMSE follow."""
    units = {s["intervals"]["unit"] for s in summaries.values()}
    note = f"95 % intervals: bootstrap over contents; PLCC and RMSE after {MAPPINGS[form]}"
    if "stimulus" in units:
        note += "; over stimuli where there is one content only, which says nothing about other contents"
    return note
