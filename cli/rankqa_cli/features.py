"""`rankqa features`."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from tqdm import tqdm

from rankqa_datasets.errors import InputError

if TYPE_CHECKING:
    from pcqa.features.table import FeatureSet
    from rankqa_datasets.stimulus import Stimulus

FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def features() -> None:
    """Tables of features, for regressors and small networks."""


@features.command(short_help="Describe the point clouds of a manifest by a set of features.")
@click.argument("manifest", type=FILE)
@click.option("--features", "name", default="3d-nss", show_default=True, help="3d-nss or point-pca2.")
@click.option("--out", type=FILE, required=True, help="The table, a CSV. Rows that are there are not computed again.")
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), help="Folder that the paths start from.")
@click.option("--jobs", type=click.IntRange(min=1), help="Clouds at the same time.  [default: the number of cores]")
def cloud(manifest: Path, name: str, out: Path, root: Path | None, jobs: int | None) -> None:
    """Describe each point cloud of the MANIFEST by a set of features, one row a cloud.

    \b
      rankqa features cloud manifest.csv --out features.csv
      rankqa baseline svr features.csv --folds splits/
      rankqa train features --data features.csv --recipe feature-mlp --out runs/features

    3d-nss: 64 statistics of coloured clouds, without a reference. point-pca2: 40 predictors of a cloud and its
    reference.

    The table has the manifest's columns, a column `digest` of the files' contents and the features. Type the command
    again after a stop, or when files have changed: it computes what is missing. A cloud without features (no colours,
    too few points, no reference) is named on standard error, has no row, and the exit code is then 1.
    """
    from pcqa.features.table import FEATURE_SETS
    from rankqa_datasets.manifest import read_manifest
    from shared_engine.features.growing_table import GrowingTable
    from shared_engine.names import UsageProblem, closest
    from shared_engine.worker_processes import processors, worker_processes

    if name not in FEATURE_SETS:
        raise UsageProblem(f"unknown features {name!r}: {closest(name, FEATURE_SETS)}")
    chosen = FEATURE_SETS[name]
    stimuli = read_manifest(manifest, root=root).stimuli
    if chosen.needs_reference and all(s.reference is None for s in stimuli):
        raise InputError(f"{manifest}: {name} compares with references; fill the column 'reference'")
    table = GrowingTable(out, manifest, _digests(name, chosen, stimuli), chosen.names)
    missing = table.missing
    failures = 0
    try:
        with worker_processes(min(jobs or processors(), max(1, len(missing)))) as each:
            outcomes = each(partial(_describe, name=name), [stimuli[row] for row in missing], "describing")
            for row, outcome in zip(missing, outcomes, strict=True):
                if isinstance(outcome, InputError):
                    failures += 1
                    tqdm.write(f"Left out: {outcome}", file=sys.stderr)
                else:
                    table.add(row, outcome)
    finally:
        table.write()
    if failures:
        raise click.ClickException(f"{failures} of {len(stimuli)} clouds have no row in {out}")
    click.echo(f"{out}: {len(stimuli)} clouds, {len(chosen.names)} features ({table.kept} clouds were there)")


def _digests(name: str, features: "FeatureSet", stimuli: "Sequence[Stimulus]") -> list[str]:
    """What the features of each stimulus depend on: the set's name and the contents of the files it reads."""
    from rankqa_datasets.file_hash import FileHashes

    hashes = FileHashes()
    rows = []
    for stimulus in tqdm(stimuli, desc="hashing", leave=False, disable=None):
        files = [stimulus.path, stimulus.reference if features.needs_reference else None]
        try:
            rows.append(" ".join([name, *(hashes.sha256(file) for file in files if file is not None)]))
        except OSError as error:
            raise InputError(f"cannot read {stimulus.path} or its reference: {error.strerror}") from error
    return rows


def _describe(stimulus: "Stimulus", *, name: str) -> dict[str, float] | InputError:
    from pcqa.features.table import FEATURE_SETS
    from pcqa.io import read_cloud

    features = FEATURE_SETS[name]
    if features.needs_reference and stimulus.reference is None:
        return InputError(f"{stimulus.path}: {name} compares with a reference, and the manifest names none")
    try:
        files = [stimulus.path, stimulus.reference if features.needs_reference else None]
        found = features.function(*(read_cloud(file) for file in files if file is not None))
    except InputError as error:
        # Its text alone: what caused it need not survive the way between processes.
        return InputError(str(error))
    bad = next((key for key, value in found.items() if not np.isfinite(value)), None)
    return found if bad is None else InputError(f"{stimulus.path}: {bad} is not a finite number")
