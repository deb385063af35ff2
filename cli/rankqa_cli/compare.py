"""`rankqa compare`."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

import click

from rankqa_cli.results import text_table

if TYPE_CHECKING:
    from shared_engine.comparison import Compared, Comparison

LETTERS = ascii_uppercase
TITLES = {
    "srocc": "SROCC",
    "plcc_mapped": "PLCC",
    "krocc": "KROCC",
    "rmse": "RMSE",
    "different_similar": "different/similar",
    "better_worse": "better/worse",
    "correct_order": "C0",
}


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN_A... [vs] RUN_B... [vs RUN_C...]")
@click.option("--part", type=click.Choice(["test", "validation"]), default="test", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(runs: tuple[str, ...], part: str, as_json: bool) -> None:
    """Whether one model is better than another, on the same stimuli.

    Two run folders, or several for each model with the word vs between the models; a folder of runs stands for all
    runs below it. Several runs are paired by seed and split. With more than two models each is compared with each.

    \b
      rankqa compare runs/spearman runs/mse
      rankqa compare runs/spearman-* vs runs/mse-*

    Interval: bootstrap over contents. p: exchanges of whole contents between the models; of several runs the larger
    of that and the t-test over seeds, or over splits corrected for what these share. "better" is said where p stays
    below 0.05 after Holm's correction over all rows.
    """
    from shared_engine.comparison import compare as compare_runs
    from shared_engine.comparison import correct
    from shared_engine.predictions import read_finished_run

    sides = _sides(runs)
    models = [[read_finished_run(Path(run), part) for run in side] for side in sides]
    found, names = [], []
    for (i, one), (j, other) in combinations(enumerate(models), 2):
        comparisons = compare_runs(one, other)
        found += comparisons
        names += [(LETTERS[i], LETTERS[j])] * len(comparisons)
    found = correct(found)
    if as_json:
        comparisons = [{"models": pair} | _plain(comparison) for pair, comparison in zip(names, found, strict=True)]
        content = {"models": dict(zip(LETTERS, sides, strict=False)), "part": part, "comparisons": comparisons}
        click.echo(json.dumps(content, indent=2, allow_nan=False))
        return
    for letter, side in zip(LETTERS, sides, strict=False):
        click.echo(f"{letter}  {side[0]}" + (f" and {len(side) - 1} more" if len(side) > 1 else ""))
    for pair, comparison in zip(names, found, strict=True):
        click.echo()
        for line in _lines(comparison, pair, part):
            click.echo(line)


def _sides(words: Sequence[str]) -> list[list[str]]:
    """Run folders of each model."""
    from shared_engine.names import UsageProblem
    from shared_engine.run_results import find_runs

    sides: list[list[str]] = [[]]
    for word in words:
        if word == "vs":
            sides.append([])
        else:
            sides[-1].append(word)
    if len(sides) == 1 and len(words) == 2:
        sides = [[word] for word in words]
    if len(sides) < 2 or not all(sides):
        raise UsageProblem(
            "give two run folders, or the runs of each model with vs between: rankqa compare a1 a2 vs b1 b2"
        )
    if len(sides) > len(LETTERS):
        raise UsageProblem(f"expected at most {len(LETTERS)} models, got {len(sides)}")
    return [list(dict.fromkeys(run for word in side for run in find_runs(Path(word)))) for side in sides]


def _lines(comparison: "Comparison", pair: tuple[str, str], part: str) -> Iterator[str]:
    a, b = pair
    where = f"{comparison.database}, " if comparison.database else ""
    line = f"{where}{part} part: {comparison.stimuli} stimuli of {comparison.contents} content(s)"
    if comparison.pairs > 1:
        line += f"; {comparison.pairs} runs of each on {comparison.splits} split(s)"
    yield line
    several = comparison.pairs > 1
    header = ["", a, b, f"{a} - {b} [95 %]", *(["over runs [95 %]"] if several else []), "p", "p (Holm)", "better"]
    yield text_table(header, [_row(row, pair, several=several) for row in comparison.criteria])
    for name, test in comparison.plcc_tests.items():
        yield f"PLCC, {name.capitalize()}, stimuli taken for independent: {test.statistic:+.2f}, p {_p(test.p)}"
    delong = [
        f"{TITLES[c.criterion]} p {_p(c.p_independent)}" for c in comparison.criteria if c.p_independent is not None
    ]
    if delong:
        yield f"DeLong, pairs of stimuli taken for independent, which they are not: {', '.join(delong)}"
    for note in comparison.notes:
        yield f"note: {note}"


def _row(row: "Compared", pair: tuple[str, str], *, several: bool) -> list[str]:
    difference = "" if row.difference is None else f"{row.difference:+.4f}"
    cells = [TITLES[row.criterion], _value(row.a), _value(row.b), difference + _interval(row.interval)]
    if several:
        cells.append("" if row.runs is None else _interval((row.runs.low, row.runs.high)).strip())
    return [*cells, _p(row.p), _p(row.p_holm), {"a": pair[0], "b": pair[1], "": ""}[row.better]]


def _value(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def _interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f" [{interval[0]:+.4f}, {interval[1]:+.4f}]"


def _p(p: float | None) -> str:
    return "" if p is None else f"{p:.4f}" if p >= 0.0001 else "< 0.0001"


def _plain(comparison: "Comparison") -> dict[str, Any]:
    """As JSON has it: an infinite t, of differences that are all the same, becomes null."""
    content = asdict(comparison)
    for row, compared in zip(content["criteria"], comparison.criteria, strict=True):
        row["better"] = compared.better
        if row["runs"] is not None and not math.isfinite(row["runs"]["t"]):
            row["runs"]["t"] = None
    return content
