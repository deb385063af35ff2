"""Charts as SVG that follows the page: its colours in light and dark, its font, and series that can be hidden."""

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared_engine.names import UsageProblem

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Placeholders that no chart uses otherwise, and the variables of the style sheet that they become.
INK, FAINT, PAPER = "#010203", "#010204", "#010205"
SERIES = tuple(f"#0102{number:02x}" for number in range(0x10, 0x18))
VARIABLES = {INK: "--ink", FAINT: "--faint", PAPER: "--paper"} | {
    color: f"--series-{number}" for number, color in enumerate(SERIES)
}
MARKERS = "osD^vPX*"

# A chart is as wide as a phone, where its letters keep their size; on a wide screen two stand side by side.
WIDTH = 5.2


@dataclass(frozen=True)
class Chart:
    """A chart of the page.

    Attributes:
        id: unique on the page.
        title: above it.
        note: below it: what is drawn and how to read it.
        text: what it shows, for those who do not see it.
        svg: the drawing.
        series: (number, name, index of its colour) of those that can be hidden.
    """

    id: str
    title: str
    note: str
    text: str
    svg: str
    series: tuple[tuple[int, str, int], ...] = ()


def new_axes(height: float) -> "Axes":
    """Empty axes in a figure of the page's width.

    Raises:
        UsageProblem: matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageProblem("a report needs matplotlib and Jinja2: pip install 'rankqa[report]'") from None
    style: Any = {
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 11,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": FAINT,
        "grid.linewidth": 0.6,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "text.parse_math": False,
    }
    with rc_context(style):
        return Figure(figsize=(WIDTH, height), layout="constrained").add_subplot()


def color(series: int) -> str:
    """The placeholder of a series; beyond the eighth they come again with other markers."""
    return SERIES[series % len(SERIES)]


def marker(series: int) -> str:
    """Its marker."""
    return MARKERS[(series + series // len(SERIES)) % len(MARKERS)]


def mark_series(artists: Any, series: int) -> None:
    """Makes artists part of a series that can be hidden."""
    for artist in artists:
        artist.set_gid(f"series-{series}")


def svg(axes: "Axes", name: str, text: str) -> str:
    """The figure of the axes as an element of a page; equal figures give equal text."""
    from html import escape

    from matplotlib import rc_context

    figure, file = axes.get_figure(root=True), io.StringIO()
    assert figure is not None
    # Letters stay letters: they are small, can be read aloud and follow the font of the page.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "text.parse_math": False}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawing = file.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"<metadata>.*?</metadata>\s*", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r'id="series-(\d+)"', r'data-series="\1"', drawing)
    # Ids of groups say nothing and would be there once for each chart; those of markers and clips are hashes.
    drawing = re.sub(r'(<g\b[^>]*?) id="[^"]*"', r"\1", drawing)
    drawing = re.sub("#0102[0-9a-f]{2}", lambda found: f"var({VARIABLES[found[0]]})", drawing)
    drawing = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", drawing)
    drawing = re.sub(r"\n\s*", "\n", drawing)
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawing)
    assert size is not None
    return re.sub(
        "<svg[^>]*>",
        lambda _: f'<svg viewBox="0 0 {size[1]} {size[2]}" role="img" aria-label="{escape(text)}">',
        drawing,
        count=1,
    )
