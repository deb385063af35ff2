"""View directions: rotation matrices from a cloud's axes to those of the image.

Each row of a matrix is a direction in the cloud: to the right in the image, up in the image, and towards the viewer.
The rows are orthonormal and right-handed: any rotation matrix is a view.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def axis_views() -> Float[Tensor, "6 3 3"]:
    """The six faces of the box: seen from +x, -x, +y, -y, +z, -z.

    +y is up, as in most captured people and objects; from +y and -y, where it cannot be, -z and +z are up.
    """
    faces = torch.tensor(
        [
            [[0, 0, -1], [0, 1, 0], [1, 0, 0]],
            [[0, 0, 1], [0, 1, 0], [-1, 0, 0]],
            [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
            [[1, 0, 0], [0, 0, 1], [0, -1, 0]],
            [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
            [[-1, 0, 0], [0, 1, 0], [0, 0, -1]],
        ]
    )
    return faces.float()


def orbit_views(count: int = 8, *, elevation: float = 0.0) -> Float[Tensor, "v 3 3"]:
    """Equal steps around +y, from the front (+z) to the right (+x) and on.

    Args:
        count: views on the circle.
        elevation: angle in degrees by which the viewer stands above the circle's plane, within -90 to 90.

    Raises:
        ValueError: no view, or an elevation out of range.
    """
    if count < 1 or not -90 <= elevation <= 90:
        raise ValueError(f"orbit_views needs count >= 1 and elevation in [-90, 90], got {count} and {elevation}")
    rise, matrices = math.radians(elevation), []
    for step in range(count):
        turn = 2 * math.pi * step / count
        right = [math.cos(turn), 0.0, -math.sin(turn)]
        up = [-math.sin(rise) * math.sin(turn), math.cos(rise), -math.sin(rise) * math.cos(turn)]
        towards = [math.cos(rise) * math.sin(turn), math.sin(rise), math.cos(rise) * math.cos(turn)]
        matrices.append([right, up, towards])
    return torch.tensor(matrices, dtype=torch.float64).float()


VIEW_LISTS = {"axes": axis_views, "orbit": orbit_views}
"""Name -> function returning (V, 3, 3) matrices."""
