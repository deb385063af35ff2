"""One picture of several clouds from several sides."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from pcqa.cloud import Cloud
from pcqa.frame import fit_frame
from pcqa.io import read_cloud
from pcqa.render import render
from pcqa.splat import splat_from_reference
from pcqa.views import view_list, view_names
from rankqa_datasets.errors import InputError

GAP, LINE, FONT_SIZE = 4, 22, 14
PAPER, INK, GRID = (255, 255, 255), (20, 20, 20), (205, 205, 205)
# Above, Pillow and many viewers refuse to open a picture.
MOST_PIXELS = 170_000_000


def contact_sheet(
    clouds: Sequence[Cloud | Path],
    *,
    views: str | Float[Tensor, "v 3 3"] = "axis",
    size: int = 256,
    splat: int | None = None,
    background: float | tuple[float, float, float] = 1.0,
    field_of_view: float | None = None,
) -> Image.Image:
    """A row for each cloud and a column for each view; above a row the cloud's file, its points, and the splat.

    Each cloud fills its own cells. One without colours shows the direction of its surface, see `normal_colors`.

    Args:
        clouds: at least one; files are read one after the other.
        views: a name in `pcqa.views.VIEW_LISTS` or rotation matrices.
        size: height and width of a cell in pixels.
        splat: side in pixels of the square for each point; default: for each cloud from its own spacing, so that its
            surface looks closed. Give one value to see the holes of a thinned cloud as they are.
        background: grey value, or red, green and blue, in [0, 1].
        field_of_view: degrees, for a pinhole camera; default: orthographic.

    Raises:
        InputError: no cloud, a file that cannot be read, a cloud whose points are all equal, an unknown view list, or
            too large a sheet.
        ValueError: an option out of range.
    """
    matrices = view_list(views)
    if not clouds:
        raise InputError("a contact sheet needs at least one cloud, got none")
    step = size + GAP
    width, height = len(matrices) * step + GAP, LINE + len(clouds) * (LINE + step)
    if width * height > MOST_PIXELS:
        raise InputError(
            f"the sheet of {len(clouds)} clouds and {len(matrices)} views would have {width} x {height} pixels: "
            f"expected at most {MOST_PIXELS:,}; take a smaller size or fewer clouds"
        )
    sheet = Image.new("RGB", (width, height), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_SIZE)
    for column, name in enumerate(view_names(matrices)):
        draw.text((GAP + column * step + size / 2, LINE / 2), name, INK, font, anchor="mm")
    for row, given in enumerate(clouds):
        cloud = read_cloud(given) if isinstance(given, Path) else given
        top = LINE + row * (LINE + step)
        side, cells = _cells(cloud, matrices, size, splat, background, field_of_view)
        count = f"{cloud.num_points:,} point{'s' if cloud.num_points > 1 else ''}, splat {side} px"
        draw.text((GAP, top + LINE / 2), _label(cloud.name, count, font, width - 2 * GAP), INK, font, anchor="lm")
        for column, cell in enumerate(cells):
            left = GAP + column * step
            draw.rectangle((left - 1, top + LINE - 1, left + size, top + LINE + size), outline=GRID)
            sheet.paste(Image.fromarray(cell), (left, top + LINE))
    return sheet


def _cells(
    cloud: Cloud,
    views: Tensor,
    size: int,
    splat: int | None,
    background: float | tuple[float, float, float],
    field_of_view: float | None,
) -> tuple[int, UInt8[np.ndarray, "v h w 3"]]:
    """The splat and the pictures of a cloud."""
    frame = fit_frame(torch.from_numpy(cloud.points), views, field_of_view=field_of_view, name=cloud.name)
    if splat is None:
        splat = min(size, splat_from_reference(cloud.points, pixels_per_unit=frame.pixels_per_unit(size)))
    projection = render(cloud, views=views, size=size, splat=splat, background=background, frame=frame)
    return splat, projection.color.numpy()


def _label(name: str, count: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> str:
    """The name is cut on the left, where folders are, until the line fits."""
    # A file's name may hold line ends and bytes that are no text.
    name = "".join(sign if sign.isprintable() else "?" for sign in name)
    text, kept = f"{name}   {count}", name
    while font.getlength(text) > width and len(kept) > 1:
        kept = kept[1:]
        text = f"...{kept}   {count}"
    return text
