"""The part of space that projections show: found once, on the reference, and used for all its distorted versions."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rankqa_datasets.errors import InputError

# Coordinates beyond this share of the points at either end may be outliers ...
TAIL = 0.001
# ... and count only up to this share of the remaining extent. Thin real parts rarely stand out further.
OVERHANG = 0.25


def robust_box(points: Float[Tensor, "p 3"]) -> Float[Tensor, "2 3"]:
    """Lowest and highest corner of the axis-parallel box around a cloud, with far outliers cut off.

    Exactly the smallest box, unless less than 0.1 % of the points lie more than a quarter of the extent of all others
    beyond them; then it ends there. Depends neither on the order of the points nor on the unit.
    """
    num_points = len(points)
    tail = int(TAIL * num_points)
    ends = []
    for axis in points.T:
        # Contiguous, as the search for a rank is several times slower on a stride; one axis at a time for the memory.
        values = axis.contiguous()
        low, high = values.kthvalue(tail + 1).values, values.kthvalue(num_points - tail).values
        overhang = OVERHANG * (high - low)
        ends.append(
            torch.stack([torch.maximum(values.min(), low - overhang), torch.minimum(values.max(), high + overhang)])
        )
    return torch.stack(ends, dim=1)


@dataclass(frozen=True)
class Frame:
    """A square window in each view, and the viewer's distance.

    Attributes:
        center: the point of the cloud that falls on the middle of each view, in the cloud's unit.
        radius: half the side of the window, in the cloud's unit, measured between the middles of outermost pixels, in
            the plane through the center that faces the viewer.
        distance: from the center to the viewer, in the cloud's unit: a pinhole camera. Infinite: orthographic.

    Raises:
        ValueError: a radius or distance that is not above 0.
    """

    center: tuple[float, float, float]
    radius: float
    distance: float = math.inf

    def __post_init__(self) -> None:
        if not 0 < self.radius < math.inf or not self.distance > 0:
            raise ValueError(
                f"a frame needs a finite radius above 0 and a distance above 0, got {self.radius} and {self.distance}"
            )

    def pixels_per_unit(self, size: int) -> float:
        """Scale of a view of `size` x `size` pixels; with a pinhole camera, in the plane through the center."""
        return (size - 1) / (2 * self.radius)


def fit_frame(
    points: Float[Tensor, "p 3"],
    views: Float[Tensor, "v 3 3"],
    *,
    field_of_view: float | None = None,
    name: str = "cloud",
) -> Frame:
    """The smallest frame that shows the robust box of a cloud in each of the views, at one scale.

    Args:
        points: (P, 3) of the reference.
        views: (V, 3, 3) as in `pcqa.views`.
        field_of_view: degrees between the left and the right edge, for a pinhole camera as near as it can be with the
            whole box in sight; default: orthographic.
        name: how messages call the cloud.

    Raises:
        InputError: all points are equal, so that there is no scale, or they are further apart than 1e100.
        ValueError: a field of view out of range.
    """
    if field_of_view is not None and not 1 <= field_of_view <= 170:
        raise ValueError(f"expected a field of view from 1 to 170 degrees, got {field_of_view}")
    box = robust_box(points).double().cpu()
    # Halves first: the difference of coordinates near 1e308 is infinite.
    half = box[1] / 2 - box[0] / 2
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * 3)
    right, up, towards = (views.double().cpu() @ (signs * half).T).unbind(1)
    reach = torch.maximum(right.abs(), up.abs())
    radius, distance = float(reach.max()), math.inf
    if radius == 0:
        raise InputError(f"{name}: expected at least two different points, but all {len(points)} are equal")
    # Beyond, squares of coordinates leave float64.
    if not 1e-100 < radius < 1e100:
        raise InputError(f"{name}: expected a cloud between 1e-100 and 1e100 across, got {2 * radius:g}; scale it")
    if field_of_view is not None:
        tangent = math.tan(math.radians(field_of_view / 2))
        distance = float((towards + reach / tangent).max())
        radius = distance * tangent
    x, y, z = (box[0] / 2 + box[1] / 2).tolist()
    return Frame((x, y, z), radius, distance)
