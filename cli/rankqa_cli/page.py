"""One HTML file that holds all it shows and asks no network for anything."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from rankqa_cli.comparison_scores import ComparisonScore


def page_part(name: str, parts: Mapping[str, str] | None = None) -> str:
    """A file of `pages`, with {{name}} filled from `parts`, which are HTML."""
    text = (files("rankqa_cli") / "pages" / name).read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], text) if parts is not None else text


def page(title: str, body: str, script: str, data: Any, scores: Sequence[ComparisonScore], footer: str) -> str:
    """The whole file.

    Args:
        title: plain text.
        body: HTML above the scores.
        script: a file of `pages`.
        data: what the script reads as JSON.
        scores: shown as a table.
        footer: plain text.
    """
    parts = {
        "title": escape(printable(title)),
        "style": page_part("page.css"),
        "body": body,
        "scores": score_table(scores),
        "footer": escape(footer),
        # A name that holds '</script>' would end the element.
        "data": json.dumps(data).replace("<", "\\u003c"),
        "script": page_part(script),
    }
    return page_part("page.html", parts)


def title_of(reference: Path, distorted: Path) -> str:
    """How a page is called."""
    return f"{distorted.name} beside {reference.name}"


def printable(name: str) -> str:
    """A file's name may hold line ends and bytes that are no text."""
    return "".join(sign if sign.isprintable() else "?" for sign in name)


def score_table(scores: Sequence[ComparisonScore]) -> str:
    """A row a score; below, all values of the metrics."""
    judges = any(one.of_reference is not None for one in scores)
    head = "<th scope=col>Reference</th>" if judges else ""
    rows = "".join(
        f'<tr><th scope="row">{escape(printable(one.name))}</th><td>{number(one.score)}</td>'
        + (f"<td>{number(one.of_reference)}</td>" if judges else "")
        + "</tr>"
        for one in scores
    )
    table = (
        f"<table><thead><tr><th scope=col></th><th scope=col>Higher is better</th>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )
    details = "".join(
        f'<tr><th scope="row">{escape(key)}</th><td>{_values(value)}</td></tr>'
        for one in scores
        for key, value in (one.values or {}).items()
    )
    if not details:
        return table
    return (
        f"{table}<details><summary>All values of the metrics</summary><table><tbody>{details}</tbody></table></details>"
    )


def number(value: float | None) -> str:
    """Six digits, which tell stimuli apart; nothing for None."""
    if value is None:
        return ""
    return f"{value:.6g}" if math.isfinite(value) else ("∞" if value > 0 else "−∞")


def _values(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_values(part) for part in value)
    return number(value) if isinstance(value, float) else escape(str(value))
