"""A table of results as text, CSV, Markdown or LaTeX."""

import csv
import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rankqa_cli.results import text_table

if TYPE_CHECKING:
    from shared_engine.results_table import ResultsTable, Summary


def _text(table: "ResultsTable") -> str:
    return text_table(*_cells(table))


def _csv(table: "ResultsTable") -> str:
    """One column for each number, with all its digits; empty where there is none."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    fields = ("mean", "sd", "low", "high", "n", "undefined")
    writer.writerow([*table.keys, *(f"{name}_{field}" for name in table.criteria for field in fields)])
    for cells, summaries in table.rows:
        writer.writerow([*cells, *(getattr(summary, field) for summary in summaries for field in fields)])
    return text.getvalue().rstrip("\n")


def _markdown(table: "ResultsTable") -> str:
    header, rows = _cells(table)
    lines = [[cell.replace("|", r"\|") for cell in row] for row in (header, *rows)]
    lines.insert(1, ["---" if i < len(table.keys) else "---:" for i in range(len(header))])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _latex(table: "ResultsTable") -> str:
    r"""A tabular for the package booktabs."""
    header, rows = _cells(table)
    columns = "l" * len(table.keys) + "r" * (len(header) - len(table.keys))
    lines = [" & ".join(_escape(cell) for cell in row) + r" \\" for row in (header, *rows)]
    body = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", lines[0], r"\midrule", *lines[1:]]
    return "\n".join([*body, r"\bottomrule", r"\end{tabular}"])


FORMATS: dict[str, Callable[["ResultsTable"], str]] = {
    "text": _text,
    "csv": _csv,
    "markdown": _markdown,
    "latex": _latex,
}


def _cells(table: "ResultsTable") -> tuple[list[str], list[list[str]]]:
    from shared_engine.results_table import CRITERIA

    titles = [CRITERIA[name] for name in table.criteria]
    measures = [f"{title}{end}" for title in titles for end in ("", " sd", " 95 %")]
    rows = [
        [
            *cells,
            _runs(summaries),
            *(cell for one in zip(table.criteria, summaries, strict=True) for cell in _numbers(*one)),
        ]
        for cells, summaries in table.rows
    ]
    return [*table.keys, "n", *measures], rows


def _runs(summaries: "Sequence[Summary]") -> str:
    """Number of runs; those in which a criterion is undefined are named."""
    n, undefined = max(s.n + s.undefined for s in summaries), max(s.undefined for s in summaries)
    return f"{n} ({undefined} undefined)" if undefined else str(n)


def _numbers(criterion: str, summary: "Summary") -> tuple[str, str, str]:
    digits = 1 if criterion == "seconds" else 4
    interval = "" if summary.low is None else f"[{summary.low:.{digits}f}, {summary.high:.{digits}f}]"
    mean = "undefined" if summary.mean is None else f"{summary.mean:.{digits}f}"
    return mean, "" if summary.sd is None else f"{summary.sd:.{digits}f}", interval


LATEX = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def _escape(cell: str) -> str:
    return "".join(LATEX.get(character, character) for character in cell)
