"""The page: the answer first, then what it rests on."""

import json
import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from rankqa_datasets.atomic_file import write_text_atomically
from rankqa_datasets.errors import InputError
from shared_engine.names import UsageProblem
from shared_engine.report.contest import Contest, contests
from shared_engine.report.contest_charts import axis_chart, mean_chart, rank_chart
from shared_engine.report.drawing import Chart
from shared_engine.report.evidence import Evidence, Outcome
from shared_engine.report.pictures import Draw, Picture, worst_pictures
from shared_engine.report.run_charts import curve_chart, middle_run, scatter_chart
from shared_engine.report.stimulus_groups import GROUPINGS, group_chart
from shared_engine.report.verdict import Verdict, interval_text, p_text, verdict
from shared_engine.run_folder import RunFolder, read_json

SCATTERS = 3
"""Settings of each group whose scores are drawn against targets, from the best on."""
BARS = 2

CRITERIA = {"srocc": "SROCC", "plcc_mapped": "PLCC", "krocc": "KROCC", "rmse": "RMSE"}


@dataclass(frozen=True)
class Answer:
    """A contest with its words and charts."""

    contest: Contest
    verdict: Verdict
    charts: tuple[Chart, ...]


@dataclass(frozen=True)
class Leaders:
    """The runs of a group that are drawn in detail: of each value of the axis, from the best on."""

    group: str
    runs: dict[str, list[Outcome]]


def write_report(evidence: Evidence, path: Path, *, pictures: int, draw: Draw) -> None:
    """Writes the page into one file that needs no other.

    Args:
        evidence: from `collect_evidence`.
        path: an HTML file; one that is there is replaced.
        pictures: how many misjudged stimuli to show of each group.
        draw: makes a picture of a stimulus.

    Raises:
        UsageProblem: matplotlib or Jinja2 is not installed.
        InputError: the file cannot be written, or a run is damaged.
    """
    text = render_page(evidence, pictures=pictures, draw=draw)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomically(path, text)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None


def render_page(evidence: Evidence, *, pictures: int, draw: Draw) -> str:
    """The page as text; as for `write_report`."""
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError:
        raise UsageProblem("a report needs matplotlib and Jinja2: pip install 'rankqa[report]'") from None
    templates = resources.files("shared_engine.report") / "templates"
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"interval": interval_text, "digits": _digits, "p": p_text}
    template = environment.from_string((templates / "page.html.j2").read_text("utf-8"))
    return template.render(
        style=(templates / "page.css").read_text("utf-8"),
        script=(templates / "page.js").read_text("utf-8"),
        **_content(evidence, pictures, draw),
    )


def _content(evidence: Evidence, pictures: int, draw: Draw) -> dict[str, Any]:
    main = evidence.axes[0] if evidence.axes else None
    answers = {axis: _answers(evidence, axis, number) for number, axis in enumerate(evidence.axes)}
    colors = {} if main is None else _colors(evidence, main)
    leaders = [_leaders(evidence, group, answers) for group in evidence.groups]
    seconds = [float(o.result.get("seconds") or 0) for o in evidence.outcomes]
    return {
        "title": evidence.question or "Report of runs",
        "evidence": evidence,
        "answers": answers,
        "axis_charts": _axis_charts(evidence, colors),
        "curves": _curves(evidence, colors),
        "scatters": _scatters(leaders, colors),
        "bars": _bars(leaders, colors),
        "pictures": _pictures(evidence, leaders, pictures, draw),
        "criteria": CRITERIA,
        "rows": _rows(evidence),
        "environment": _environment(evidence.outcomes),
        "commands": _commands(evidence, leaders),
        "config": json.dumps(_first(leaders[0]).config, indent=2),
        "runs": len({o.folder for o in evidence.outcomes}),
        "hours": sum(seconds) / 3600,
    }


def _answers(evidence: Evidence, axis: str, number: int) -> list[Answer]:
    colors = _colors(evidence, axis)
    found = []
    for place, contest in enumerate(contests(evidence, axis)):
        name = f"answer-{number}-{place}"
        charts = (rank_chart(contest, f"{name}-ranks"), mean_chart(contest, f"{name}-means", colors))
        found.append(Answer(contest, verdict(contest), tuple(chart for chart in charts if chart is not None)))
    return found


def _colors(evidence: Evidence, axis: str) -> dict[str, int]:
    """The same value has the same colour in all charts."""
    return {value: number for number, value in enumerate(evidence.values(axis))}


def _leaders(evidence: Evidence, group: str, answers: dict[str, list[Answer]]) -> Leaders:
    own = [o for o in evidence.outcomes if o.group == group and o.summary.get("srocc") is not None]
    if not evidence.axes:
        return Leaders(group, {"all runs": own or [o for o in evidence.outcomes if o.group == group]})
    axis = evidence.axes[0]
    of_group = [answer.contest for answer in answers[axis] if answer.contest.group == group]
    if not of_group:
        return Leaders(group, {"all runs": [o for o in evidence.outcomes if o.group == group]})
    names = [one.name for one in of_group[0].candidates]
    return Leaders(group, {name: [o for o in own if o.settings[axis] == name] for name in names})


def _first(leaders: Leaders) -> Outcome:
    runs = next(iter(leaders.runs.values()))
    known = [run for run in runs if run.summary.get("srocc") is not None]
    return middle_run(known) if known else runs[0]


def _axis_charts(evidence: Evidence, colors: dict[str, int]) -> list[Chart]:
    found = []
    for number, axis in enumerate(evidence.axes[1:]):
        for place, group in enumerate(evidence.groups):
            chart = axis_chart(evidence, axis, evidence.axes[0], group, f"axis-{number}-{place}", colors)
            found += [chart] if chart else []
    return found


def _curves(evidence: Evidence, colors: dict[str, int]) -> list[Chart]:
    if not evidence.axes:
        return []
    charts = [
        curve_chart(evidence, evidence.axes[0], group, f"curves-{place}", colors)
        for place, group in enumerate(evidence.groups)
    ]
    return [chart for chart in charts if chart]


def _scatters(leaders: Sequence[Leaders], colors: dict[str, int]) -> list[Chart]:
    found = []
    for place, one in enumerate(leaders):
        for number, (name, runs) in enumerate(list(one.runs.items())[:SCATTERS]):
            known = [run for run in runs if run.summary.get("srocc") is not None]
            if known:
                found.append(scatter_chart(middle_run(known), name, f"scatter-{place}-{number}", colors.get(name, 0)))
    return [chart for chart in found if chart]


def _bars(leaders: Sequence[Leaders], colors: dict[str, int]) -> list[Chart]:
    found = []
    for place, one in enumerate(leaders):
        runs = dict(list(one.runs.items())[:BARS])
        own = {name: colors.get(name, 0) for name in runs}
        found += [group_chart(runs, by, one.group, f"{by}-{place}", own) for by in GROUPINGS]
    return [chart for chart in found if chart]


def _pictures(
    evidence: Evidence, leaders: Sequence[Leaders], count: int, draw: Draw
) -> list[tuple[str, str, list[Picture]]]:
    """(group, setting, its pictures)"""
    found = []
    for one in leaders:
        name, runs = next(iter(one.runs.items()))
        pictures = worst_pictures(evidence, runs, count, draw)
        if pictures:
            found.append((one.group, name, pictures))
    return found


def _rows(evidence: Evidence) -> list[dict[str, Any]]:
    """The full table."""
    return [
        {
            "id": o.id,
            "folder": str(o.folder),
            "group": o.group,
            "settings": list(o.settings.values()),
            "split": _split_label(o),
            "seed": o.seed,
            "criteria": [o.summary.get(key) for key in CRITERIA],
            "interval": (o.summary.get("intervals") or {}).get("srocc"),
            "n": o.summary.get("n"),
            "seconds": o.result.get("seconds"),
        }
        for o in evidence.outcomes
    ]


def _split_label(outcome: Outcome) -> str:
    file, number = json.loads(outcome.split)
    return Path(file).stem if file else "" if number is None else str(number)


def _environment(outcomes: Sequence[Outcome]) -> list[tuple[str, str]]:
    """What all runs share, and where they differ all values."""
    values: dict[str, dict[str, None]] = {}
    for folder in dict.fromkeys(o.folder for o in outcomes):
        path = RunFolder(folder).environment
        if not path.is_file():
            continue
        table = read_json(path)
        flat = {**{k: v for k, v in table.items() if k not in ("packages", "source")}, **(table.get("packages") or {})}
        source = table.get("source") or {}
        if source:
            flat["source"] = f"{source.get('commit')}{' with changes' if source.get('modified') else ''}"
        for key, value in flat.items():
            if value is not None:
                values.setdefault(key, {})[str(value)] = None
    return [(key, "; ".join(list(own)[:4]) + (" and others" if len(own) > 4 else "")) for key, own in values.items()]


def _commands(evidence: Evidence, leaders: Sequence[Leaders]) -> list[tuple[str, str]]:
    """(what it does, the command)"""
    folders = shlex.join(str(folder) for folder in evidence.folders)
    found = [
        (
            f"A run of the best setting for {one.group} again, with the median SROCC",
            shlex.join(
                ["rankqa", "train", str(run.config.get("modality")), "--config", str(run.folder / "config.json"),
                 "--out", f"again/{run.id}"]
            ),
        )
        for one in leaders
        for run in [_first(one)]
    ]  # fmt: skip
    sweeps = [folder for folder in evidence.folders if (folder / "grid.json").is_file()]
    again = "The sweep again, or what is missing of it, from its grid file"
    found += [(again, f"rankqa ablate GRID --out {shlex.quote(str(folder))}") for folder in sweeps]
    found += [("Means and intervals as text", f"rankqa table {folders}"), ("This page", f"rankqa report {folders}")]
    return found


def _digits(value: float | None, digits: int = 4) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"
