"""A cloud with other points, other colours, or fewer rows."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from pcqa.cloud import Cloud
from rankqa_datasets.errors import InputError


def colors_of(cloud: Cloud) -> Float[np.ndarray, "P 3"]:
    """Red, green and blue as float64 in [0, 1].

    Raises:
        InputError: the cloud has no colours.
    """
    if cloud.colors is None:
        raise InputError(
            f"{cloud.name}: expected colours to distort, got none; choose a type that changes geometry only"
        )
    return cloud.colors.astype(np.float64)


def with_colors(cloud: Cloud, colors: Float[np.ndarray, "P 3"]) -> Cloud:
    """The cloud with these colours, clipped to [0, 1]."""
    return replace(cloud, colors=np.clip(colors, 0, 1).astype(np.float32), source=None)


def with_points(cloud: Cloud, points: Float[np.ndarray, "P 3"]) -> Cloud:
    """The cloud with these points, in the type that it had before; colours and normals stay with their points."""
    return replace(cloud, points=points.astype(cloud.points.dtype), source=None)


def with_rows(cloud: Cloud, rows: Int[np.ndarray, "Q"]) -> Cloud:
    """The points of these rows, in this order."""
    colors = None if cloud.colors is None else cloud.colors[rows]
    normals = None if cloud.normals is None else cloud.normals[rows]
    return Cloud(cloud.points[rows], colors, normals)
