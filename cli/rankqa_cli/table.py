"""`rankqa table`."""

from pathlib import Path

import click

from rankqa_cli.left_out import echo_left_out

CRITERIA = ["srocc", "krocc", "plcc_mapped", "plcc", "rmse", "outlier_ratio", "seconds"]


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--by",
    "keys",
    multiple=True,
    help="Axis of the sweep, or key of the configuration as engine.batch_size. Repeatable. Default: all that tell the "
    "runs apart, but seed and split.",
)
@click.option(
    "--criterion",
    "criteria",
    multiple=True,
    type=click.Choice(CRITERIA),
    help="Repeatable. Default: srocc. PLCC of the mapped scores is plcc_mapped; seconds are those of the whole run "
    "since its last start.",
)
@click.option("--part", type=click.Choice(["test", "validation"]), default="test", show_default=True)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "csv", "markdown", "latex"]),
    default="text",
    show_default=True,
    help="CSV has all digits; LaTeX needs the package booktabs.",
)
def table(folders: tuple[Path, ...], keys: tuple[str, ...], criteria: tuple[str, ...], part: str, form: str) -> None:
    """Mean, standard deviation and 95 % interval over seeds and splits, of all runs in the FOLDERS.

    Runs that agree in all keys are one row; runs of a sweep are named by its axes and their labels. Unfinished and
    damaged runs and copies are listed on standard error and never counted.

    \b
      rankqa table runs/
      rankqa table ablations/losses-quick --by loss
      rankqa table runs/ --by objective.terms.0.name --by engine.batch_size --criterion srocc --format latex
    """
    from rankqa_cli.table_formats import FORMATS
    from rankqa_datasets.errors import InputError
    from shared_engine.results_table import results_table
    from shared_engine.run_results import collect_results

    found = results_table(collect_results(folders), by=keys, criteria=criteria or ("srocc",), part=part)
    echo_left_out(found.left_out)
    if not found.rows:
        raise InputError(f"no finished run with a {part} part in {', '.join(map(str, folders))}")
    click.echo(FORMATS[form](found))
    if form == "text":
        click.echo(_note(found.repeats))


def _note(repeats: tuple[str, ...]) -> str:
    note = "95 %: Student's t over the n runs of a row"
    if repeats:
        note += f", which differ in {', '.join(repeats)}"
    if any(key != "seed" for key in repeats):
        note += "; splits of one database share stimuli, which makes it too narrow: `rankqa compare` corrects for that"
    return note
