"""`rankqa view`."""

import threading
from collections.abc import Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from rankqa_datasets.errors import InputError
from shared_engine.names import UsageProblem

SHEET_OPTIONS = ("views", "size", "splat", "background")
PAIR_OPTIONS = ("html", "port", "names", "run")


@click.command(short_help="Show a file beside its reference, with scores and errors.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="REF DIST")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="The page to write, one file.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Of 127.0.0.1; 0: any.")
@click.option("--metrics", "names", help="Names with commas.  [default: d1,yuv,pcqm as far as they fit; psnr,ssim]")
@click.option("--run", type=click.Path(path_type=Path, file_okay=False), help="A trained model, to score them too.")
@click.option("--sheet", type=click.Path(path_type=Path, dir_okay=False), help="Of any clouds: the PNG file to write.")
@click.option(
    "--views",
    type=click.Choice(["axis", "orbit", "icosphere"]),
    default="axis",
    show_default=True,
    help="Of a sheet: six views along the axes, eight around +y, or 42 from all sides.",
)
@click.option("--size", type=click.IntRange(32, 4096), default=256, show_default=True, help="Pixels of a sheet's view.")
@click.option(
    "--splat",
    type=click.IntRange(min=1),
    help="Pixels that a point covers in a sheet, for all clouds.  [default: from the spacing of each]",
)
@click.option("--background", type=click.Choice(["white", "black"]), default="white", show_default=True)
@click.pass_context
def view(
    context: click.Context,
    files: tuple[Path, ...],
    html: Path | None,
    port: int,
    names: str | None,
    run: Path | None,
    sheet: Path | None,
    views: str,
    size: int,
    splat: int | None,
    background: str,
) -> None:
    """Show the cloud or image DIST beside its reference REF, with one camera, scores, and the error of each point.

    \b
      rankqa view ref.ply dist.ply                    a live page on http://127.0.0.1:8080
      rankqa view ref.ply dist.ply --html out.html    one file, which any browser shows without network
      rankqa view a.ply b.ply c.ply --sheet out.png   clouds from several sides in one picture

    The live page of clouds needs viser: pip install 'rankqa[view]'. It draws all points; the file at most 200,000 of
    each cloud. Errors are those that D1 and the colour error average: the distance to the nearest point of the other
    cloud, and the difference of colour to it; of an image, that of each pixel. With --run the page also has the score
    of a trained model.

    In a sheet a row is a cloud and a column a view. A cloud without colours shows the direction of its surface. To
    compare a thinned cloud with its reference give --splat: drawn with larger points its holes would close.
    """
    given = {name for name in context.params if context.get_parameter_source(name) is not ParameterSource.DEFAULT}
    if sheet is not None:
        _refuse(given, PAIR_OPTIONS, "goes with two files to compare, not with --sheet")
        _write_sheet(files, sheet, views, size, splat, background)
        return
    _refuse(given, SHEET_OPTIONS, "goes with --sheet OUT.png")
    if len(files) != 2:
        raise UsageProblem(
            f"expected two files, REF DIST, or --sheet OUT.png for any number of clouds, got {len(files)}"
        )
    reference, distorted = files
    modality = _same_modality(reference, distorted)
    if html is not None:
        if html.suffix.lower() not in (".html", ".htm"):
            raise UsageProblem(f"--html writes HTML: expected a name that ends in .html, got {html.name!r}")
        if any(html.resolve() == file.resolve() for file in files):
            raise UsageProblem(f"--html would write over {html}, which is to be compared")
        from rankqa_datasets.atomic_file import write_text_atomically

        page = _PAGES[modality](reference, distorted, names, run)
        write_text_atomically(html, page)
        click.echo(f"wrote {html}: {len(page) / 1e6:.1f} MB")
    else:
        live = _LIVE[modality](reference, distorted, names, run, port)
        click.echo(f"see {live.url}; Ctrl-C ends it")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            click.echo()
        finally:
            live.stop()


def _refuse(given: set[str], options: Sequence[str], reason: str) -> None:
    for name in options:
        if name in given:
            raise UsageProblem(f"--{'metrics' if name == 'names' else name} {reason}")


def _same_modality(reference: Path, distorted: Path) -> str:
    """What both files are, by their endings.

    Raises:
        InputError: a file that is missing or of no known ending.
        UsageProblem: one is an image and the other a cloud.
    """
    from imgqa.modality import IMAGE
    from pcqa.io import READERS

    kinds = []
    for path in (reference, distorted):
        if not path.is_file():
            raise InputError(f"{path} is a folder: expected a file" if path.is_dir() else f"no such file: {path}")
        suffix = path.suffix.lower()
        if suffix not in (*READERS, *IMAGE.suffixes):
            known = f"a cloud ({', '.join(READERS)}) or an image ({', '.join(IMAGE.suffixes)})"
            raise InputError(f"{path}: expected {known}, got suffix {suffix!r}")
        kinds.append("cloud" if suffix in READERS else "image")
    if kinds[0] != kinds[1]:
        raise UsageProblem(
            f"expected two clouds or two images, got the {kinds[0]} {reference} and the {kinds[1]} {distorted}"
        )
    return kinds[0]


def _compared_clouds(reference: Path, distorted: Path, names: str | None, run: Path | None):
    from rankqa_cli.cloud_comparison import compare_clouds
    from rankqa_cli.cloud_metrics import CLOUD_METRICS
    from rankqa_cli.comparison_scores import run_score
    from rankqa_cli.metric import metric_names

    metrics = None if names is None else metric_names(names, CLOUD_METRICS)
    of_run = [] if run is None else [run_score(run, "cloud", reference, distorted)]
    return compare_clouds(reference, distorted, metrics, of_run)


def _cloud_page(reference: Path, distorted: Path, names: str | None, run: Path | None) -> str:
    from rankqa_cli.cloud_page import cloud_page

    return cloud_page(_compared_clouds(reference, distorted, names, run), reference, distorted)


def _image_page(reference: Path, distorted: Path, names: str | None, run: Path | None) -> str:
    from imgqa.metrics.table import METRICS
    from rankqa_cli.comparison_scores import run_score
    from rankqa_cli.image_page import image_page, image_scores
    from rankqa_cli.metric import metric_names

    scores = image_scores(reference, distorted, None if names is None else metric_names(names, METRICS))
    if run is not None:
        scores.append(run_score(run, "image", reference, distorted))
    return image_page(reference, distorted, scores)


def _live_clouds(reference: Path, distorted: Path, names: str | None, run: Path | None, port: int):
    from rankqa_cli.live_clouds import LiveClouds, require_viser
    from rankqa_cli.loopback import require_free

    # Before the metrics, which may take minutes.
    require_viser()
    require_free(port)
    return LiveClouds(_compared_clouds(reference, distorted, names, run), port)


def _live_image(reference: Path, distorted: Path, names: str | None, run: Path | None, port: int):
    from rankqa_cli.loopback import LivePage, require_free

    require_free(port)
    return LivePage(_image_page(reference, distorted, names, run), port)


_PAGES = {"cloud": _cloud_page, "image": _image_page}
_LIVE = {"cloud": _live_clouds, "image": _live_image}


def _write_sheet(
    clouds: Sequence[Path], sheet: Path, views: str, size: int, splat: int | None, background: str
) -> None:
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
