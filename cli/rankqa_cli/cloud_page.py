"""A cloud beside its reference as one HTML file."""

import base64
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from rankqa_cli.cloud_comparison import CloudComparison, ShownCloud
from rankqa_cli.error_colors import COLORS
from rankqa_cli.page import page, page_part, printable, title_of

MOST_POINTS = 200_000
SEED = 0
GRID = 65535
# A point covers a little more than the distance to the next, so that a surface looks closed. Where a share of them is
# drawn, the distances on a surface grow by its root.
MARGIN = 1.6


def cloud_page(comparison: CloudComparison, reference: Path, distorted: Path, *, most_points: int = MOST_POINTS) -> str:
    """The page, which draws by WebGL.

    Coordinates are rounded to 1 / 65535 of the clouds' common box, errors to 256 steps of their scale.

    Args:
        comparison: what it shows.
        reference: its file.
        distorted: its file.
        most_points: of a cloud with more, as many are drawn, taken at random with seed 0.
    """
    frame = comparison.frame
    rows = [_subsample(cloud, most_points) for cloud in comparison.clouds]
    near = [
        (cloud.points[chosen].astype(np.float64) - frame.center) / frame.radius
        for cloud, chosen in zip(comparison.clouds, rows, strict=True)
    ]
    both = np.concatenate(near)
    low, high = both.min(axis=0), both.max(axis=0)
    grid = float((high - low).max()) / GRID
    share = len(rows[0]) / len(comparison.clouds[0].drawn)
    data = {
        "low": low.tolist(),
        "grid": grid,
        "spacing": MARGIN * comparison.spacing / frame.radius / share**0.5,
        "colors": _base64(COLORS),
        "clouds": [
            _packed(cloud, chosen, np.rint((points - low) / grid).astype("<u2"), comparison)
            for cloud, chosen, points in zip(comparison.clouds, rows, near, strict=True)
        ],
    }
    figures = "".join(
        f'<figure><canvas tabindex="0" role="application" aria-label="{role} cloud; arrow keys turn it"></canvas>'
        f"<figcaption><b>{role}</b> {escape(printable(cloud.name))}: {escape(cloud.caption(len(chosen)))}</figcaption>"
        "</figure>"
        for role, cloud, chosen in zip(("Reference", "Distorted"), comparison.clouds, rows, strict=True)
    )
    parts = {
        "figures": figures,
        "colorings": "".join(
            f'<option value="{name}">{escape(scale.label)}</option>' for name, scale in comparison.scales.items()
        ),
        "legends": "".join(
            f'<div data-legend="{name}" hidden>{scale.legend()}</div>' for name, scale in comparison.scales.items()
        ),
    }
    footer = (
        "One camera for both: drag to turn, drag with Shift or two fingers to shift, wheel or pinch to zoom. Keys on a "
        "picture: arrows turn, with Shift they shift, + and - zoom, 0 resets. Scores and errors are of all points, "
        "before any are left out of the drawing."
    )
    return page(
        title_of(reference, distorted), page_part("clouds.html", parts), "clouds.js", data, comparison.scores, footer
    )


def _subsample(cloud: ShownCloud, most: int) -> Int64[np.ndarray, " s"]:
    if len(cloud.drawn) <= most:
        return cloud.drawn
    return np.sort(np.random.default_rng(SEED).choice(cloud.drawn, most, replace=False))


def _packed(cloud: ShownCloud, rows: np.ndarray, positions: np.ndarray, comparison: CloudComparison) -> dict[str, Any]:
    return {
        "count": len(rows),
        "positions": _base64(positions),
        "colors": _base64(cloud.colors[rows]),
        "errors": {name: _base64(scale.steps(cloud.errors[name][rows])) for name, scale in comparison.scales.items()},
    }


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode()
