"""`rankqa pool`."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rankqa_cli.results import text_table

if TYPE_CHECKING:
    from shared_engine.cross_validation import CrossValidation

TITLES = {
    "srocc": "SROCC",
    "plcc_mapped": "PLCC",
    "plcc_calibrated": "PLCC, calibrated",
    "rmse_calibrated": "RMSE, calibrated",
}
POOLED = {"raw": "raw scores", "calibrated": "calibrated by each fold", "recipe-oracle": "recipe oracle"}
SHOWN_CONTENTS = 3


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False), metavar="RUN...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def pool(runs: tuple[Path, ...], as_json: bool) -> None:
    """Join the runs of a cross-validation: each fold, mean and spread over folds, and all test parts pooled.

    One run for each fold, or for each fold and seed; a folder of runs stands for all runs below it. They must differ in
    seed and split alone, and test each stimulus at most once a seed.

    \b
      rankqa data split manifest.csv --folds 5 --out folds
      rankqa train cloud --data manifest.csv --split folds/fold_01.csv ... --out runs/fold_01
      rankqa pool runs/fold_*

    Several seeds are averaged within a fold first. Pooled raw scores mix models that each have a scale of their own;
    after each fold's own calibration, which never saw its test part, they are on that of the targets.
    """
    from shared_engine.cross_validation import cross_validate
    from shared_engine.fold_runs import read_fold_run
    from shared_engine.run_results import find_runs

    folders = list(dict.fromkeys(run for folder in runs for run in find_runs(folder)))
    found = cross_validate([read_fold_run(Path(folder)) for folder in folders])
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=2, allow_nan=False))
        return
    for number, one in enumerate(found):
        if number:
            click.echo()
        for line in _lines(one):
            click.echo(line)


def _lines(found: "CrossValidation") -> Iterator[str]:
    where = f"{found.database}: " if found.database else ""
    seeds = f", {len(found.seeds)} seeds each" if len(found.seeds) > 1 else ""
    yield f"{where}{found.stimuli} test stimuli of {found.contents} content(s) in {len(found.folds)} fold(s){seeds}"
    rows = [
        [fold.name, _contents(fold.contents), str(fold.stimuli), *map(_number, fold.values.values())]
        for fold in found.folds
    ]
    spreads = found.spread.values()
    if len(found.folds) > 1:
        rows.append(["mean", "", "", *(_number(spread.mean) for spread in spreads)])
        rows.append(["sd", "", "", *(_number(spread.sd, "") for spread in spreads)])
        rows.append(["95 %", "", "", *(_interval(spread.interval) for spread in spreads)])
    if len(found.seeds) > 1:
        rows.append(["sd over seeds", "", "", *(_number(spread.sd_seeds, "") for spread in spreads)])
    titles = [TITLES.get(name, name.replace("srocc", "SROCC")) for name in found.spread]
    yield text_table(["fold", "content", "stimuli", *titles], rows)
    yield ""
    yield text_table(
        ["pooled", "SROCC", "PLCC", "RMSE"],
        [
            [
                POOLED[name],
                f"{_number(one.srocc)} {_interval(one.srocc_interval)}",
                f"{_number(one.plcc)} {_interval(one.plcc_interval)}",
                f"{_number(one.rmse)} {_interval(one.rmse_interval)}",
            ]
            for name, one in found.pooled.items()
        ],
    )
    yield (
        f"95 %: over folds Student's t corrected for shared training data, pooled a bootstrap over {found.unit}s; "
        "PLCC of a fold, and PLCC and RMSE of raw scores, after a 4-parameter logistic fitted to them; calibrated: "
        "after each run's own, fitted to its validation or training part"
    )
    for note in found.notes:
        yield f"note: {note}"


def _contents(contents: tuple[str, ...]) -> str:
    return ", ".join(contents) if len(contents) <= SHOWN_CONTENTS else f"{len(contents)} contents"


def _number(value: float | None, otherwise: str = "undefined") -> str:
    return otherwise if value is None else f"{value:.3f}"


def _interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"[{interval[0]:.3f}, {interval[1]:.3f}]"
