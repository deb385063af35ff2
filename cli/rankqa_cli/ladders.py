"""`rankqa data synth`: demo sets, and ladders of distortions of the user's photographs or clouds."""

from pathlib import Path
from typing import Any

import click

from rankqa_datasets.errors import InputError
from shared_engine.names import UsageProblem, resolve

FOLDER = click.Path(path_type=Path, file_okay=False)

DEMO_SETS = {"image": "imgqa.demo_set:build_image_demo", "cloud": "pcqa.demo_set:build_cloud_demo"}
LADDER_SETS = {"image": "imgqa.ladder_set:build_ladder_set", "cloud": "pcqa.ladder_set:build_ladder_set"}
LADDER_LEVELS = {"image": "imgqa.ladder_set:LEVELS", "cloud": "pcqa.ladder_set:LEVELS"}
# How the result is told: what is in the set, of what.
WORDS = {"image": ("images", "photographs"), "cloud": ("clouds", "originals")}


def synth_ladders(modality: str, source: Path, out: Path, *, types: str, levels: str | None, **options: Any) -> None:
    """Make or go on with a set of ladders, say what is in it, and name the files that could not be used.

    Raises:
        UsageProblem: unknown types or levels.
        InputError: the set cannot be made; or it was made, but some files are not in it.
    """
    build = resolve("ladder set", modality, LADDER_SETS)
    if levels is not None:
        highest = max(resolve("ladder set", modality, LADDER_LEVELS))
        options["levels"] = parse_levels(levels, highest)
    result = build(source, out, types=types.split(","), **options)
    made, of = WORDS[modality]
    for line in result.left_out:
        click.echo(f"left out: {line}", err=True)
    if result.without_colors:
        click.echo(f"left out: {result.without_colors} ladders of colour, as their clouds have none", err=True)
    click.echo(result.manifest)
    click.echo(
        f"{result.stimuli} {made} of {result.contents} {of}; {result.twins} left out as equal to a weaker level. "
        "Targets are labels by level, not opinions.",
        err=True,
    )
    if result.left_out:
        total = result.contents + len(result.left_out)
        raise InputError(f"{len(result.left_out)} of {total} {of} left out (above); the set holds the others")


def parse_levels(text: str, highest: int) -> list[int]:
    """The numbers in a list '1,2,...'.

    Raises:
        UsageProblem: not whole numbers from 1 to `highest`.
    """
    try:
        levels = [int(cell) for cell in text.split(",")]
    except ValueError:
        levels = []
    if not levels or not all(1 <= level <= highest for level in levels):
        raise UsageProblem(f"expected levels like 1,3,5, each from 1 to {highest}, got '{text}'")
    return levels


@click.command()
@click.argument("modality", type=click.Choice(list(DEMO_SETS)))
@click.option("--out", type=FOLDER, required=True, help="Folder to make the set in.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--from", "source", type=FOLDER, help="Distort the photographs or clouds of this folder instead.")
@click.option("--types", help="With --from: distortion types a,b,... or all.  [default: all]")
@click.option("--levels", help="With --from: levels 1,2,... (images: of 5; clouds: of up to 7).  [default: all]")
@click.option("--limit", type=click.IntRange(min=1), help="With --from: only the first so many files.")
@click.option("--crop", type=click.IntRange(min=8), help="With --from, images: side of a square cut out, pixels.")
def synth(
    modality: str,
    out: Path,
    seed: int,
    source: Path | None,
    types: str | None,
    levels: str | None,
    limit: int | None,
    crop: int | None,
) -> None:
    """Make the procedural demo set of MODALITY, or with --from ladders of distortions of your own.

    The demo set has stimuli, references and a manifest with simulated opinions. It shows that everything works; it is
    no evidence about real quality.

    With --from, each photograph or cloud is distorted by each type at rising levels. Its target is minus its level: a
    label by level, not an opinion, for pretraining and rank tests. An interrupted set goes on where it stopped.
    """
    if source is None:
        given = {"--types": types, "--levels": levels, "--limit": limit, "--crop": crop}
        for option, value in given.items():
            if value is not None:
                raise UsageProblem(f"{option} goes with --from FOLDER, which is missing")
        click.echo(resolve("demo set", modality, DEMO_SETS)(out, seed=seed))
        return
    options: dict[str, Any] = {"types": types or "all", "levels": levels, "limit": limit, "seed": seed}
    if modality == "image":
        options["crop"] = crop
    elif crop is not None:
        raise UsageProblem(f"--crop cuts photographs, not a {modality}: leave it out")
    synth_ladders(modality, source, out, **options)
