"""Views of a cloud as it was read: with its own colours or those of its surface, and its name in messages."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pcqa.cloud import Cloud
from pcqa.frame import Frame, fit_frame
from pcqa.normal_colors import normal_colors
from pcqa.projection import Projection, project


def render(
    cloud: Cloud,
    *,
    views: Float[Tensor, "v 3 3"],
    size: int = 512,
    splat: int = 1,
    background: float | tuple[float, float, float] = 1.0,
    supersample: int = 1,
    frame: Frame | None = None,
    device: str = "cpu",
) -> Projection:
    """Draws a cloud, see `pcqa.projection.project`; one without colours by the direction of its surface.

    Args:
        cloud: what to draw.
        views: as in `pcqa.views`.
        size: height and width in pixels.
        splat: side in pixels of the square for each point.
        background: grey value, or red, green and blue, in [0, 1].
        supersample: draws at this multiple of the size and averages.
        frame: window to show; default: fitted to this cloud, orthographic.
        device: where torch draws, and where the result lies.

    Raises:
        InputError: no frame given and all points are equal or too far apart; the message names the cloud.
        ValueError: an option out of range.
    """
    points = _tensor(cloud.points)
    frame = fit_frame(points, views, name=cloud.name) if frame is None else frame
    colors = normal_colors(cloud) if cloud.colors is None else cloud.colors
    return project(
        points.to(device),
        _tensor(colors).to(device),
        views=views,
        size=size,
        splat=splat,
        background=background,
        supersample=supersample,
        frame=frame,
    )


def _tensor(array: np.ndarray) -> Tensor:
    """Copied only where torch needs it: it takes no backward strides, and read-only memory with a warning."""
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))
