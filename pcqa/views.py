"""View directions: rotation matrices from a cloud's axes to those of the image.

Each row of a matrix is a direction in the cloud: to the right in the image, up in the image, and towards the viewer.
The rows are orthonormal and right-handed: any rotation matrix is a view.
"""

import itertools
import math

import torch
from jaxtyping import Float
from torch import Tensor

from rankqa_datasets.errors import InputError


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


def icosphere_views() -> Float[Tensor, "42 3 3"]:
    """From all sides evenly: the 12 corners of an icosahedron and the middles of its 30 edges, the axes among them.

    From the top (+y) down, on each level around +y as in `orbit_views`.
    """
    golden = (1 + math.sqrt(5)) / 2
    corners = [
        corner
        for a in (-1, 1)
        for b in (-golden, golden)
        for corner in ((0.0, float(a), b), (float(a), b, 0.0), (b, 0.0, float(a)))
    ]
    # Edges are 2 long, the next shorter distance between corners is 3.2.
    edges = [(p, q) for p, q in itertools.combinations(corners, 2) if math.dist(p, q) < 2.5]
    middles = [tuple((a + b) / 2 for a, b in zip(p, q, strict=True)) for p, q in edges]
    directions = [tuple(value / math.hypot(*point) for value in point) for point in corners + middles]
    # Rounded, as equal heights differ in their last bit.
    directions.sort(key=lambda d: (round(-d[1], 6), round(math.atan2(d[0], d[2]) % (2 * math.pi), 6)))
    return look_from(torch.tensor(directions, dtype=torch.float64))


def look_from(directions: Float[Tensor, "v 3"]) -> Float[Tensor, "v 3 3"]:
    """Views from given directions, with +y up; from straight above -z and from straight below +z is up.

    Args:
        directions: (V, 3) from the cloud's middle to the viewer, of any length.

    Raises:
        ValueError: a direction without length.
    """
    matrices = []
    for x, y, z in directions.double().tolist():
        length, level = math.hypot(x, y, z), math.hypot(x, z)
        if not 0 < length < math.inf:
            raise ValueError(f"look_from needs directions of a finite length above 0, got ({x:g}, {y:g}, {z:g})")
        x, y, z = x / length, y / length, z / length
        across = (z * length / level, -x * length / level) if level > 1e-9 * length else (1.0, 0.0)
        right = (across[0], 0.0, across[1])
        up = (y * right[2], z * right[0] - x * right[2], -y * right[0])
        matrices.append([right, up, (x, y, z)])
    return torch.tensor(matrices, dtype=torch.float64).float()


def view_names(views: Float[Tensor, "v 3 3"]) -> list[str]:
    """Short labels of where each view is seen from: an axis such as '+x', else degrees around +y and above."""
    names = []
    for x, y, z in views.double()[:, 2].tolist():
        axes = [
            f"{'+' if value > 0 else '-'}{axis}"
            for axis, value in zip("xyz", (x, y, z), strict=True)
            if abs(value) > 1 - 1e-6
        ]
        around, above = math.degrees(math.atan2(x, z)) % 360, math.degrees(math.asin(max(-1.0, min(1.0, y))))
        names.append(axes[0] if axes else f"{around:.0f}\N{DEGREE SIGN} {above:+.0f}\N{DEGREE SIGN}")
    return names


VIEW_LISTS = {"axis": axis_views, "orbit": orbit_views, "icosphere": icosphere_views}
"""Name -> function returning (V, 3, 3) matrices."""


def view_list(views: str | Float[Tensor, "v 3 3"]) -> Float[Tensor, "v 3 3"]:
    """The views of a name in `VIEW_LISTS`; matrices as they are.

    Raises:
        InputError: an unknown name.
    """
    if not isinstance(views, str):
        return views
    if views not in VIEW_LISTS:
        raise InputError(f"unknown view list {views!r}: known are {', '.join(VIEW_LISTS)}")
    return VIEW_LISTS[views]()
