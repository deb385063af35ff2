"""`rankqa data`."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from rankqa_cli.ladders import synth
from rankqa_datasets.errors import InputError
from shared_engine.names import UsageProblem, closest, resolve

if TYPE_CHECKING:
    from rankqa_datasets.split import Split
    from rankqa_datasets.stimulus import Stimulus

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)

WITHOUT_FILES = click.option(
    "--without-files", is_flag=True, help="The stimuli need not be there: for tables of features and of scores."
)

DECODERS = {"image": "imgqa.decode:decode_image", "cloud": "pcqa.io:read_cloud"}


@click.group()
def data() -> None:
    """Prepare public databases, make demo sets, check manifests, make splits."""


data.add_command(synth)


@data.command(name="list")
@click.argument("name", required=False)
def list_cards(name: str | None) -> None:
    """Public databases that `rankqa data prepare` knows; with NAME all that its card says."""
    from rankqa_cli.results import text_table
    from rankqa_datasets.card import card_names, read_card

    if name is not None:
        _known(name)
        click.echo(_card_text(name))
        return
    rows = []
    for known in card_names():
        card = read_card(known)
        score = [card.raw, card.scale, f"{card.direction} is better"]
        rows.append([known, str(card.stimuli), str(card.contents), *score, card.split, card.homepage])
    click.echo(
        text_table(["database", "stimuli", "contents", "score", "scale", "direction", "split", "homepage"], rows)
    )


@data.command()
@click.argument("name")
@click.option("--root", type=FOLDER, required=True, help="Folder of the official release, unpacked.")
@click.option("--out", type=FILE, help="The manifest.  [default: manifest.csv in the root]")
@click.option(
    "--folds", type=FOLDER, help="Folder of published lists train_k.csv, test_k.csv.  [default: where the card says]"
)
@WITHOUT_FILES
def prepare(name: str, root: Path, out: Path | None, folds: Path | None, without_files: bool) -> None:
    """Turn the official release of the database NAME into a manifest and splits; nothing is downloaded.

    Paths in the manifest start from the root, so a manifest elsewhere needs `--root` again. Higher targets are better.
    The splits lie in a folder beside it: the official one, the folds that papers use (published lists, where they lie
    in the root, else as many by content), or ten divisions 80/20 by content.
    """
    from rankqa_datasets.prepare import prepare as prepare_release

    _known(name)
    made = prepare_release(name, root, out=out, folds=folds, files=not without_files)
    for note in made.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(f"{made.manifest}: {made.stimuli} stimuli of {made.contents} contents")
    for split_file in made.splits:
        click.echo(split_file)


def _known(name: str) -> None:
    from rankqa_datasets.card import card_names

    if name not in card_names():
        raise UsageProblem(f"unknown database {name!r}: {closest(name, card_names())}")


def _card_text(name: str) -> str:
    """Every field of a card that says something, one a line; tables and lists indented below theirs."""
    from rankqa_datasets.card import read_card

    card = read_card(name)
    lines = [f"{name}: {card.title}", f"stimuli: {card.stimuli} of {card.contents} contents"]
    lines += [f"score: {card.raw}, scale {card.scale}, {card.direction} is better"]
    for field in ("reference", "content", "split", "licence", "homepage", "citation"):
        lines.append(f"{field}: {getattr(card, field)}")
    lines += [f"folds: {card.folds}"] if card.folds else []
    for field in ("parts", "files", "columns"):
        table = getattr(card, field)
        lines += [f"{field}:", *(f"  {role}: {_words(value)}" for role, value in table.items())] if table else []
    for field in ("notes", "sources"):
        lines += [f"{field}:", *(f"  {text}" for text in getattr(card, field))]
    return "\n".join(lines)


def _words(value: object) -> str:
    return " or ".join(name or "(the root)" for name in value) if isinstance(value, list) else str(value)


@data.command()
@click.argument("manifest", type=FILE)
@click.option("--root", type=FOLDER, help="Folder that the paths start from; default: the manifest's own.")
@click.option("--modality", type=click.Choice(list(DECODERS)), help="Also decode each file.")
@click.option("--low", type=float, help="Smallest target that the scale allows.")
@click.option("--high", type=float, help="Largest target that the scale allows.")
@WITHOUT_FILES
def check(
    manifest: Path,
    root: Path | None,
    modality: str | None,
    low: float | None,
    high: float | None,
    without_files: bool,
) -> None:
    """Report every problem of MANIFEST with its row; exit code 1 if there is any."""
    from rankqa_datasets.manifest import check_manifest, read_manifest

    if without_files and modality is not None:
        raise UsageProblem("--without-files and --modality exclude each other: what is not there cannot be decoded")
    decode = None if modality is None else resolve("modality", modality, DECODERS)
    problems = check_manifest(manifest, root=root, low=low, high=high, files=not without_files, decode=decode)
    for problem in problems:
        click.echo(str(problem))
    if problems:
        raise InputError(f"{manifest}: {len(problems)} problem(s)")
    stimuli = read_manifest(manifest, root=root, files=not without_files).stimuli
    targets = [s.target for s in stimuli]
    click.echo(
        f"{manifest}: no problems; {len(stimuli)} stimuli of {len({s.content for s in stimuli})} contents, "
        f"{sum(s.reference is not None for s in stimuli)} with reference, targets {min(targets):g} to {max(targets):g}"
    )


@data.command()
@click.argument("manifest", type=FILE)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Split file; with --folds or --leave-out a folder.",
)
@click.option("--root", type=FOLDER, help="Folder that the paths start from; default: the manifest's own.")
@click.option("--test", "test_share", type=float, help="Share of the test part.  [default: 0.2]")
@click.option("--validation", "validation_share", type=float, default=0.0, show_default=True)
@click.option("--folds", type=int, help="This many folds, each content tested once; one a content: leave one out.")
@click.option(
    "--leave-out",
    "column",
    help="Leave out one value of this column after the other, such as recipe or a column type of your own, each with "
    "one fold of the contents after the other.  [default: 5 folds, or one a content where there are fewer]",
)
@click.option("--seed", type=int, default=0, show_default=True)
@WITHOUT_FILES
def split(
    manifest: Path,
    out: Path,
    root: Path | None,
    test_share: float | None,
    validation_share: float,
    folds: int | None,
    column: str | None,
    seed: int,
    without_files: bool,
) -> None:
    """Divide MANIFEST by content into train, validation and test, and write the split file(s).

    \b
      rankqa data split manifest.csv --test 0.2 --out split.csv
      rankqa data split manifest.csv --folds 5 --out folds
      rankqa data split manifest.csv --leave-out type --folds 5 --out left_out

    With --leave-out a split file VALUE-fold-K.csv tests the stimuli of that value whose contents are in that fold, and
    trains on those of other values and other contents; what shares only one of both with the test part is unused. Where
    recipes are levels (noise_1, noise_2), leave out by a column of your own that names the type.
    """
    from rankqa_datasets.manifest import read_manifest
    from rankqa_datasets.split import Part, carve_validation, folds_by_content, split_by_content, write_split

    if test_share is not None and (folds is not None or column is not None):
        raise UsageProblem("--test excludes --folds and --leave-out: each fold is the test part once")
    stimuli = read_manifest(manifest, root=root, files=not without_files).stimuli
    if folds is None and column is None:
        share = 0.2 if test_share is None else test_share
        splits = {out: split_by_content(stimuli, test=share, validation=validation_share, seed=seed)}
    else:
        if column is not None:
            made = _leave_out(stimuli, column, folds, seed)
        else:
            found = folds_by_content(stimuli, folds=folds or 0, seed=seed)
            made = {f"fold_{number:02d}": one for number, one in enumerate(found, start=1)}
        splits = {out / f"{name}.csv": one for name, one in made.items()}
        if validation_share:
            splits = {
                path: carve_validation(stimuli, one, share=validation_share, seed=seed) for path, one in splits.items()
            }
    for path in splits:
        if path.exists():
            raise InputError(f"{path} exists already; nothing is overwritten")
    for path, one in splits.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the folder {path.parent}: {error.strerror}") from None
        write_split(one, path)
        counts = {part: len(one.ids(part)) for part in get_args(Part)}
        click.echo(f"{path}: {', '.join(f'{part} {n}' for part, n in counts.items() if n or part != 'unused')}")


def _leave_out(stimuli: "Sequence[Stimulus]", column: str, folds: int | None, seed: int) -> "dict[str, Split]":
    """Names of files -> splits."""
    from rankqa_datasets.split import splits_leaving_out
    from shared_engine.evaluation import group_labels

    if column == "content":
        raise UsageProblem("contents are left out by --folds; --leave-out takes a column of distortions, as recipe")
    labels = group_labels(stimuli, column)
    contents = len({stimulus.content for stimulus in stimuli})
    found = splits_leaving_out(stimuli, labels, folds=min(5, contents) if folds is None else folds, seed=seed)
    value_of: dict[str, str] = {}
    for value, _ in found:
        # Values are free text; names of files are not.
        other = value_of.setdefault(re.sub(r"[^\w.+-]+", "-", value), value)
        if other != value:
            raise InputError(f"{other!r} and {value!r} in the column {column} would share a file name: rename one")
    name_of = {value: name for name, value in value_of.items()}
    return {f"{name_of[value]}-fold-{number}": split for (value, number), split in found.items()}
