"""`rankqa evaluate`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rankqa_cli.modalities import read_run
from rankqa_cli.results import criteria_row, criteria_table, interval_note

if TYPE_CHECKING:
    from shared_engine.score_mapping import Form


@click.command()
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option("--data", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Manifest to evaluate on.")
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), help="Folder that its paths start from.")
@click.option(
    "--part",
    type=click.Choice(["test", "validation", "train", "all"]),
    help="Which part. Default: the run's own test part if this is its manifest, else all rows.",
)
@click.option("--by", "columns", multiple=True, help="Also one row for each value of this column. Repeatable.")
@click.option(
    "--mapping",
    "form",
    type=click.Choice(["logistic4", "logistic5", "cubic", "linear"]),
    default="logistic4",
    show_default=True,
    help="Fitted to the stimuli before PLCC and RMSE. logistic5 and cubic need not be monotone.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the predictions to this CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--baseline/--no-baseline",
    default=True,
    help="Full-reference baselines where references are given, the recipe oracle where recipes are.",
)
def evaluate(
    run: Path,
    data: Path,
    root: Path | None,
    part: str | None,
    columns: tuple[str, ...],
    form: "Form",
    out: Path | None,
    as_json: bool,
    baseline: bool,
) -> None:
    """SROCC, PLCC, KROCC and RMSE with 95 % intervals of the model in folder RUN.

    Parts are those of the run: its split file where the manifest is the one that it was trained on, else the
    manifest's own column. Where that manifest has recipes, the recipe oracle stands beside the model: each stimulus
    gets the mean training target of its recipe.
    """
    from rankqa_cli.scoring import score_stimuli
    from rankqa_datasets.manifest import read_manifest
    from shared_engine.evaluation import (
        group_labels,
        prediction_rows,
        summarise_baselines,
        summarise_by,
        summarise_databases,
    )
    from shared_engine.recipe_oracle import recipe_oracle
    from shared_engine.run_folder import write_csv

    kind, config = read_run(run)
    manifest = read_manifest(data, root=root, files=kind.rows_in is None)
    stimuli, part = _choose(manifest, run, config.data.manifest, part)
    for column in columns:
        group_labels(stimuli, column)
    scores = score_stimuli(run, kind, config, stimuli)
    summaries = summarise_databases(stimuli, scores, part, form=form)
    rows = [criteria_row(f"{config.recipe or config.model.name}, {name}", one) for name, one in summaries.items()]
    groups = {column: summarise_by(stimuli, scores, column, form=form) for column in columns}
    for column, values in groups.items():
        rows += [criteria_row(f"  {column} {value or '(empty)'}", summary) for value, summary in values.items()]
    if baseline:
        found = summarise_baselines(stimuli, kind.baselines, form=form)
        train = _training_stimuli(manifest, run, config.data.manifest) if part in ("test", "validation") else ()
        if any(s.recipe for s in train) and any(s.recipe for s in stimuli):
            found |= summarise_databases(stimuli, recipe_oracle(train, stimuli), "recipe-oracle", form=form)
        rows += [criteria_row(f"{label}, {part}", one) for label, one in found.items()]
        summaries |= found
    for name in _against_the_order(summaries):
        click.echo(
            f"note: {name}: SROCC is below 0 beyond chance: are the targets higher-is-better? turn DMOS round first",
            err=True,
        )
    if out is not None:
        write_csv(out, prediction_rows(stimuli, scores, part))
    if as_json:
        click.echo(json.dumps({"summaries": summaries, "groups": groups}, indent=2, allow_nan=False))
    else:
        click.echo(criteria_table(rows))
        click.echo(interval_note(summaries, form))


def _against_the_order(summaries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Of databases whose targets may be lower-is-better, which nothing in their manifest says.

    The recipe oracle's order is that of the targets themselves, and says nothing of it.
    """
    intervals = {name: s["intervals"]["srocc"] for name, s in summaries.items() if not name.startswith("recipe-oracle")}
    return [name for name, interval in intervals.items() if interval is not None and interval[1] < 0]


def _choose(manifest, run: Path, trained_on: str, part: str | None):
    """The stimuli of the part asked for, and its name."""
    from rankqa_datasets.errors import InputError
    from rankqa_datasets.split import read_split, split_from_column
    from shared_engine.run_folder import RunFolder

    own = _is_own(manifest, trained_on)
    part = part or ("test" if own else "all")
    if part == "all":
        return manifest.stimuli, part
    split = read_split(RunFolder(run).split, manifest.stimuli) if own else split_from_column(manifest.stimuli)
    if split is None:
        raise InputError(f"{manifest.path} has no split column, so there is no {part} part: use --part all")
    stimuli = tuple(s for s in manifest.stimuli if split.parts[s.id] == part)
    if len(stimuli) < 2:
        raise InputError(f"the {part} part of {manifest.path} has {len(stimuli)} stimuli, expected at least 2")
    return stimuli, part


def _training_stimuli(manifest, run: Path, trained_on: str):
    """Those that the run was trained on, if the manifest is that of the run; else none."""
    from rankqa_datasets.split import read_split
    from shared_engine.run_folder import RunFolder

    if not _is_own(manifest, trained_on):
        return ()
    split = read_split(RunFolder(run).split, manifest.stimuli)
    return tuple(s for s in manifest.stimuli if split.parts[s.id] == "train")


def _is_own(manifest, trained_on: str) -> bool:
    return Path(trained_on).resolve() == manifest.path.resolve()
