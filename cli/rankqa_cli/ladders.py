"""`rankqa data synth`: demo sets, and ladders of distortions of the user's photographs."""

from pathlib import Path

import click

from rankqa_datasets.errors import InputError
from shared_engine.names import UsageProblem, resolve

FOLDER = click.Path(path_type=Path, file_okay=False)

DEMO_SETS = {"image": "imgqa.demo_set:build_image_demo", "cloud": "pcqa.demo_set:build_cloud_demo"}


def synth_ladders(
    source: Path, out: Path, *, types: str, levels: str, limit: int | None, seed: int, crop: int | None
) -> None:
    """Make or go on with a set of ladders, say what is in it, and name the photographs that could not be used.

    Raises:
        UsageProblem: unknown types or levels.
        InputError: the set cannot be made; or it was made, but some photographs are not in it.
    """
    from imgqa.ladder_set import build_ladder_set, parse_types

    result = build_ladder_set(
        source, out, types=parse_types(types), levels=parse_levels(levels), limit=limit, seed=seed, crop=crop
    )
    for line in result.left_out:
        click.echo(f"left out: {line}", err=True)
    click.echo(result.manifest)
    click.echo(
        f"{result.stimuli} images of {result.photos} photographs; {result.twins} left out as equal to a weaker level. "
        "Targets are labels by level, not opinions.",
        err=True,
    )
    if result.left_out:
        total = result.photos + len(result.left_out)
        raise InputError(f"{len(result.left_out)} of {total} photographs left out (above); the set holds the others")


def parse_levels(text: str) -> list[int]:
    """The numbers in a list '1,2,...'.

    Raises:
        UsageProblem: not whole numbers from 1 to 5.
    """
    try:
        levels = [int(cell) for cell in text.split(",")]
    except ValueError:
        levels = []
    if not levels or not all(1 <= level <= 5 for level in levels):
        raise UsageProblem(f"expected levels like 1,3,5, each from 1 to 5, got '{text}'")
    return levels


@click.command()
@click.argument("modality", type=click.Choice(list(DEMO_SETS)))
@click.option("--out", type=FOLDER, required=True, help="Folder to make the set in.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--from", "source", type=FOLDER, help="Distort the photographs of this folder instead.")
@click.option("--types", help="With --from: distortion types a,b,... or all.  [default: all]")
@click.option("--levels", help="With --from: levels of 1 to 5.  [default: 1,2,3,4,5]")
@click.option("--limit", type=click.IntRange(min=1), help="With --from: only the first so many photographs.")
@click.option("--crop", type=click.IntRange(min=8), help="With --from: side of a square cut from the middle, pixels.")
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
    """Make the procedural demo set of MODALITY, or with --from ladders of distortions of photographs.

    The demo set has stimuli, references and a manifest with simulated opinions. It shows that everything works; it is
    no evidence about real quality.

    With --from, each photograph is distorted by each type at rising levels. The target of an image is minus its level:
    a label by level, not an opinion, for pretraining and rank tests. An interrupted set goes on where it stopped.
    """
    if source is None:
        given = {"--types": types, "--levels": levels, "--limit": limit, "--crop": crop}
        for option, value in given.items():
            if value is not None:
                raise UsageProblem(f"{option} goes with --from FOLDER, which is missing")
        click.echo(resolve("demo set", modality, DEMO_SETS)(out, seed=seed))
        return
    if modality != "image":
        raise UsageProblem(f"--from makes ladders of photographs: expected 'image', got '{modality}'")
    synth_ladders(source, out, types=types or "all", levels=levels or "1,2,3,4,5", limit=limit, seed=seed, crop=crop)
