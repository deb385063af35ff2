"""`rankqa report`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rankqa_cli.left_out import echo_left_out

if TYPE_CHECKING:
    from PIL import Image


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Default: report.html in the first FOLDER."
)
@click.option("--axis", help="What to compare first: an axis of the grid. Default: its first that is no seed or split.")
@click.option(
    "--pictures",
    type=click.IntRange(min=0, max=48),
    default=6,
    show_default=True,
    help="Misjudged stimuli to show for each modality or database.",
)
def report(folders: tuple[Path, ...], out: Path | None, axis: str | None, pictures: int) -> None:
    """One HTML page about a sweep, or all runs in the FOLDERS, that needs no network and no other file.

    It begins with the answer: which setting is best, by how much and how sure, compared in pairs of runs that share
    all else. Then charts, misjudged stimuli, all runs, and how to repeat them.

    \b
      rankqa report ablations/losses-quick
      rankqa report runs/ --axis engine.batch_size --out batch-size.html
    """
    from shared_engine.report.contest import contests
    from shared_engine.report.evidence import collect_evidence
    from shared_engine.report.page import write_report
    from shared_engine.report.verdict import verdict

    evidence = collect_evidence(folders, axis=axis)
    echo_left_out(evidence.left_out)
    path = out or folders[0] / "report.html"
    write_report(evidence, path, pictures=pictures, draw=draw_stimulus)
    for contest in contests(evidence, evidence.axes[0]) if evidence.axes else []:
        found = verdict(contest)
        click.echo(f"{contest.axis}, {contest.group}: {found.headline}. {found.support}")
    click.echo(f"wrote {path}: {path.stat().st_size / 1e6:.1f} MB")


def draw_stimulus(modality: str, path: Path, side: int) -> "Image.Image | None":
    """An image made smaller, or a cloud seen from the front; None for a modality without pictures."""
    if modality == "image":
        return _image(path, side)
    return _cloud(path, side) if modality == "cloud" else None


def _image(path: Path, side: int) -> "Image.Image":
    from PIL import Image

    from imgqa.decode import decode_image

    image = Image.fromarray(decode_image(path))
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image


def _cloud(path: Path, side: int) -> "Image.Image":
    import torch
    from PIL import Image

    from pcqa.frame import fit_frame
    from pcqa.io import read_cloud
    from pcqa.render import render
    from pcqa.splat import splat_from_reference
    from pcqa.views import orbit_views

    cloud = read_cloud(path)
    views = orbit_views(8, elevation=20.0)[:1]
    frame = fit_frame(torch.from_numpy(cloud.points), views, name=cloud.name)
    splat = min(side, splat_from_reference(cloud.points, pixels_per_unit=frame.pixels_per_unit(side)))
    return Image.fromarray(render(cloud, views=views, size=side, splat=splat, frame=frame).color[0].numpy())
