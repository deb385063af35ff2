"""The part of space that projections show: found once, on the reference, and used for all its distorted versions."""

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
    axes = points.T.contiguous()
    low = axes.kthvalue(tail + 1, dim=1).values
    high = axes.kthvalue(num_points - tail, dim=1).values
    overhang = OVERHANG * (high - low)
    return torch.stack(
        [torch.maximum(axes.min(1).values, low - overhang), torch.minimum(axes.max(1).values, high + overhang)]
    )


@dataclass(frozen=True)
class Frame:
    """A square window in each view.

    Attributes:
        center: the point of the cloud that falls on the middle of each view, in the cloud's unit.
        radius: half the side of the window, in the cloud's unit, measured between the middles of outermost pixels.
    """

    center: tuple[float, float, float]
    radius: float

    def pixels_per_unit(self, size: int) -> float:
        """Scale of a view of `size` x `size` pixels."""
        return (size - 1) / (2 * self.radius)


def fit_frame(points: Float[Tensor, "p 3"], views: Float[Tensor, "v 3 3"]) -> Frame:
    """The smallest frame that shows the robust box of a cloud in each of the views, at one scale.

    Raises:
        InputError: all points are equal, so that there is no scale.
    """
    box = robust_box(points).double().cpu()
    half = (box[1] - box[0]) / 2
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * 3)
    in_image = views.double().cpu()[:, :2] @ (signs * half).T
    radius = float(in_image.abs().max())
    if radius == 0:
        raise InputError(f"the cloud's {len(points)} points are all equal: expected at least two different ones")
    x, y, z = ((box[0] + box[1]) / 2).tolist()
    return Frame((x, y, z), radius)
