"""`rankqa view`."""

from pathlib import Path

import click

from shared_engine.names import UsageProblem


@click.command()
@click.argument("clouds", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="CLOUD...")
@click.option("--sheet", type=click.Path(path_type=Path, dir_okay=False), help="The PNG file to write.")
@click.option(
    "--views",
    type=click.Choice(["axis", "orbit", "icosphere"]),
    default="axis",
    show_default=True,
    help="Six views along the axes, eight around +y, or 42 from all sides.",
)
@click.option("--size", type=click.IntRange(32, 4096), default=256, show_default=True, help="Pixels of a view.")
@click.option(
    "--splat",
    type=click.IntRange(min=1),
    help="Pixels that a point covers, for all clouds.  [default: from the spacing of each]",
)
@click.option("--background", type=click.Choice(["white", "black"]), default="white", show_default=True)
def view(
    clouds: tuple[Path, ...], sheet: Path | None, views: str, size: int, splat: int | None, background: str
) -> None:
    """Draw each CLOUD from several sides into one picture: a row a cloud, a column a view.

    A cloud without colours shows the direction of its surface. To compare a thinned cloud with its reference give
    --splat: drawn with larger points its holes would close.
    """
    if sheet is None:
        raise UsageProblem("expected --sheet OUT.png, the picture to write")
    if sheet.suffix.lower() != ".png":
        raise UsageProblem(f"--sheet writes PNG: expected a name that ends in .png, got {sheet.name!r}")
    if splat is not None and splat > size:
        raise UsageProblem(f"--splat cannot exceed --size: expected 1 to {size}, got {splat}")
    from pcqa.contact_sheet import contact_sheet
    from pcqa.view_files import write_png

    ground = 1.0 if background == "white" else 0.0
    picture = contact_sheet(clouds, views=views, size=size, splat=splat, background=ground)
    write_png(picture, sheet)
    click.echo(f"wrote {sheet}: {picture.width} x {picture.height} pixels")
