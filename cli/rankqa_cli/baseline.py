"""`rankqa baseline`."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rankqa_cli.results import text_table
from rankqa_datasets.errors import InputError
from shared_engine.names import UsageProblem

if TYPE_CHECKING:
    from rankqa_datasets.split import Split
    from rankqa_datasets.stimulus import Stimulus
    from shared_engine.baseline_folds import BaselineReport

FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def baseline() -> None:
    """What a model must beat, and what it cannot surpass."""


@baseline.command(name="recipe-oracle")
@click.option("--data", type=FILE, required=True, help="Manifest with a column recipe; its files need not be there.")
@click.option("--split", "split_files", type=FILE, multiple=True, help="Split file. Repeatable: one for each fold.")
@click.option("--folds", type=click.Path(path_type=Path, file_okay=False), help="Folder of split files, one a fold.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def recipe_oracle(data: Path, split_files: tuple[Path, ...], folds: Path | None, as_json: bool) -> None:
    """SROCC and PLCC of a predictor that knows only the recipe of a stimulus: distortion type and level.

    It gives each test stimulus the mean training target of its recipe. A model that does not beat it may have learnt
    to tell recipes apart and nothing else. Without --split and --folds the manifest's own column split is used.

    \b
      rankqa baseline recipe-oracle --data manifest.csv --folds splits/
    """
    from rankqa_datasets.manifest import read_manifest
    from shared_engine.recipe_oracle import oracle_over_folds

    stimuli = read_manifest(data, files=False).stimuli
    names, splits = _splits(data, stimuli, split_files, folds)
    report = oracle_over_folds(stimuli, splits)
    if as_json:
        _echo_json(names, report, "unseen")
        return
    rows = [
        [n, str(f.n), str(f.unseen), _shown(f.srocc), _shown(f.plcc)] for n, f in zip(names, report.folds, strict=True)
    ]
    if len(rows) > 1:
        rows.append([f"mean of {len(rows)} folds", "", "", *_means(report)])
    unseen = sum(fold.unseen or 0 for fold in report.folds)
    rows.append(["pooled", str(report.pooled_n), str(unseen), *_pooled(report)])
    click.echo(text_table(["", "stimuli", "of unseen recipe", "SROCC", "PLCC"], rows))
    click.echo(_note(report))


def _splits(
    data: Path, stimuli: Sequence["Stimulus"], files: Sequence[Path], folder: Path | None
) -> tuple[list[str], list["Split"]]:
    """Names and splits: of the files, of all files of the folder in order of their names, or of the manifest."""
    from rankqa_datasets.split import read_split, split_from_column

    if files and folder is not None:
        raise UsageProblem("--split names the files of the folds and --folds their folder: give one of the two")
    if folder is not None:
        files = sorted(folder.glob("*.csv"))
        if not files:
            raise InputError(f"no split file *.csv in the folder {folder}")
    if files:
        return [file.stem for file in files], [read_split(file, stimuli) for file in files]
    split = split_from_column(stimuli)
    if split is None:
        raise UsageProblem(f"{data} has no column split: give --split FILE or --folds FOLDER (rankqa data split)")
    return ["test"], [split]


@baseline.command(name="rater-ceiling")
@click.option("--votes", type=FILE, required=True, help="CSV: a column of names, then one column for each rater.")
@click.option("--data", type=FILE, help="Manifest of the same names: only its stimuli count, with its targets.")
@click.option("--halves", type=click.IntRange(min=1), default=100, show_default=True, help="Random divisions.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the divisions.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rater_ceiling(votes: Path, data: Path | None, halves: int, seed: int, as_json: bool) -> None:
    """How well the raters of a database agree, from their raw votes: the ceiling for any model.

    Targets of --data count for the pairs that the votes do not tell apart, so they must be on the scale of the votes.

    \b
      rankqa baseline rater-ceiling --votes votes.csv
    """
    from rankqa_datasets.manifest import read_manifest
    from shared_engine import rater_ceiling as ceiling

    targets = None if data is None else {s.id: s.target for s in read_manifest(data, files=False).stimuli}
    try:
        found = ceiling.rater_ceiling(ceiling.read_votes(votes), targets=targets, halves=halves, seed=seed)
    except InputError as error:
        raise InputError(str(error) if str(votes) in str(error) else f"{votes}: {error}") from None
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2, allow_nan=False))
        return
    rows = [
        ["stimuli, raters", f"{found.stimuli}, {found.raters} (at least {found.fewest_votes} votes on each)"],
        ["SROCC between halves of the raters", f"{found.split_half:.3f} (sd {found.split_half_std:.3f}, {halves} x)"],
        ["  for all raters (Spearman-Brown)", f"{found.spearman_brown:.3f}"],
        ["SROCC of one rater with the others", f"{found.one_rater:.3f}"],
        ["standard error of a mean vote, median", f"{found.sem:.3g}"],
        ["pairs closer than 2 sqrt(2) of it", f"{100 * found.close_pairs:.1f} %"],
    ]
    if found.without_votes:
        rows.insert(1, ["stimuli of the manifest without votes", f"{found.without_votes}, left out"])
    click.echo(text_table(["", "value"], rows))


FEATURES_OPTIONS = (
    click.argument("table", type=FILE, metavar="FEATURES"),
    click.option("--split", "split_files", type=FILE, multiple=True, help="Split file. Repeatable: one for each fold."),
    click.option("--folds", type=click.Path(path_type=Path, file_okay=False), help="Folder of split files."),
    click.option("--out", type=FILE, help="Write the predictions of all test parts as CSV."),
    click.option("--json", "as_json", is_flag=True, help="Print JSON."),
)


def _features_options(command):
    for option in reversed(FEATURES_OPTIONS):
        command = option(command)
    return command


@baseline.command()
@_features_options
def svr(table: Path, split_files: tuple[Path, ...], folds: Path | None, out: Path | None, as_json: bool) -> None:
    """SROCC and PLCC of support vector regression on the table FEATURES.

    The kernel is the radial one with scikit-learn's defaults; features and targets are standardised by the training
    part of each fold, and nothing is tuned. The features are all columns of numbers that describe no stimulus. Without
    --split and --folds the table's own column split is used. Needs scikit-learn: pip install 'rankqa[features]'.

    \b
      rankqa features cloud manifest.csv --out features.csv
      rankqa data split features.csv --without-files --folds 5 --out splits/
      rankqa baseline svr features.csv --folds splits/
    """
    _regress("svr", table, split_files, folds, out, as_json=as_json)


@baseline.command(name="extra-trees")
@_features_options
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the trees.")
def extra_trees(
    table: Path, split_files: tuple[Path, ...], folds: Path | None, out: Path | None, as_json: bool, seed: int
) -> None:
    """SROCC and PLCC of extremely randomised trees on the table FEATURES.

    100 trees, else as rankqa baseline svr.
    """
    _regress("extra-trees", table, split_files, folds, out, as_json=as_json, seed=seed)


def _regress(
    regressor: str,
    path: Path,
    split_files: Sequence[Path],
    folder: Path | None,
    out: Path | None,
    *,
    as_json: bool,
    seed: int = 0,
) -> None:
    from rankqa_datasets.manifest import read_manifest
    from shared_engine.features.regression import read_features, regress_over_folds

    stimuli = read_manifest(path, files=False).stimuli
    names, splits = _splits(path, stimuli, split_files, folder)
    report = regress_over_folds(regressor, stimuli, read_features(path, stimuli), splits, seed=seed)
    if out is not None:
        _write_predictions(out, names, report)
    if as_json:
        _echo_json(names, report)
        return
    rows = [[n, str(f.n), _shown(f.srocc), _shown(f.plcc)] for n, f in zip(names, report.folds, strict=True)]
    if len(rows) > 1:
        rows.append([f"mean of {len(rows)} folds", "", *_means(report)])
    rows.append(["pooled", str(report.pooled_n), *_pooled(report)])
    click.echo(text_table(["", "stimuli", "SROCC", "PLCC"], rows))
    click.echo(_note(report))


def _write_predictions(out: Path, names: Sequence[str], report: "BaselineReport") -> None:
    from rankqa_datasets.atomic_file import write_text_atomically

    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "content", "score", "target", "split", "fold"])
    for name, fold in zip(names, report.folds, strict=True):
        for stimulus, score in zip(fold.tested, fold.scores, strict=True):
            writer.writerow([stimulus.id, stimulus.content, repr(score), repr(stimulus.target), "test", name])
    write_text_atomically(out, text.getvalue())


def _means(report: "BaselineReport") -> list[str]:
    """Mean and deviation over folds of SROCC and PLCC."""
    return [
        f"{_shown(mean)} (sd {_shown(spread)})"
        for mean, spread in ((report.srocc_mean, report.srocc_std), (report.plcc_mean, report.plcc_std))
    ]


def _pooled(report: "BaselineReport") -> list[str]:
    return [
        _with_interval(report.pooled_srocc, report.pooled_srocc_interval),
        _with_interval(report.pooled_plcc, report.pooled_plcc_interval),
    ]


def _note(report: "BaselineReport") -> str:
    contents = report.pooled_contents
    over = f"over {contents} contents" if contents > 1 else "over stimuli of one content"
    return f"95 % intervals: bootstrap {over}; PLCC of the predictions as they are"


def _echo_json(names: Sequence[str], report: "BaselineReport", *more: str) -> None:
    """Criteria of the folds and all others, and `more` of each fold; its predictions go to --out."""
    folds = [{key: getattr(fold, key) for key in ("n", *more, "srocc", "plcc")} for fold in report.folds]
    click.echo(json.dumps(asdict(report) | {"folds": folds, "names": names}, indent=2, allow_nan=False))


def _with_interval(value: float | None, interval: tuple[float, float] | None) -> str:
    return _shown(value) + ("" if interval is None else f" [{interval[0]:.3f}, {interval[1]:.3f}]")


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
