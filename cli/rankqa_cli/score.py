"""`rankqa score`."""

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

from rankqa_cli.modalities import read_run
from rankqa_datasets.errors import InputError


@click.command()
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE_OR_FOLDER...")
@click.option("--calibrated", is_flag=True, help="On the scale of the training set's targets, not the model's own.")
@click.option(
    "--reference",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The pristine file, for a model that compares with one.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON in place of CSV.")
def score(run: Path, inputs: tuple[Path, ...], calibrated: bool, reference: Path | None, as_json: bool) -> None:
    """Score files, or all files of the modality below folders, with the model in folder RUN.

    A model of features scores the rows of tables, named TABLE/PATH; a column target is not needed.

    Prints `path,score` on standard output; higher is better quality, on the model's own scale, or with --calibrated on
    that of the opinions it was trained on. A file that cannot be scored is named on standard error, the others are
    scored all the same, and the exit code is then 1.
    """
    from rankqa_cli.scoring import FileScorer
    from shared_engine.calibration import read_calibration
    from shared_engine.run_folder import RunFolder

    kind, config = read_run(run)
    files = _collect(inputs, kind.suffixes)
    if kind.rows_in is not None:
        files = [row for file in files for row in kind.rows_in(file)]
    scorer = FileScorer(run, kind, config, reference)
    to_scale = read_calibration(RunFolder(run)) if calibrated else None
    results: list[tuple[str, float]] = []
    failures = 0
    for file, value in tqdm(scorer.scores(files), "scoring", total=len(files), leave=False, disable=None):
        if isinstance(value, InputError):
            failures += 1
            click.echo(f"Error: {value}", err=True)
        else:
            results.append((str(file), value if to_scale is None else float(to_scale(np.array([value]))[0])))
    if as_json:
        click.echo(json.dumps([{"path": path, "score": value} for path, value in results], indent=2))
    else:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(["path", "score"])
        writer.writerows((path, repr(value)) for path, value in results)
    if failures:
        raise click.ClickException(f"{failures} of {len(files)} files could not be scored")


def _collect(inputs: Sequence[Path], suffixes: tuple[str, ...]) -> list[Path]:
    """Named files as they are; files with known endings below folders, sorted."""
    files: list[Path] = []
    for path in inputs:
        if path.is_dir():
            found = sorted(f for f in path.rglob("*") if f.is_file() and f.suffix.lower() in suffixes)
            if not found:
                raise InputError(f"no file with ending {', '.join(suffixes)} below {path}")
            files += found
        else:
            files.append(path)
    return files
