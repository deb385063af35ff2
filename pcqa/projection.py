"""Orthographic views of a coloured cloud by a z-buffer: deterministic, on CPU and GPU, without a graphics library."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from pcqa.frame import Frame, fit_frame
from pcqa.views import axis_views

# Points worked on at once; bounds the memory for clouds of any size.
BLOCK = 1 << 20

EMPTY = torch.iinfo(torch.int64).max


# eq=False: comparing tensors with == inside a generated __eq__ raises; identity is what callers need.
@dataclass(frozen=True, eq=False)
class Projection:
    """What each pixel of each view shows; rows from top to bottom.

    Attributes:
        color: the point's colour, 0 to 255, or the background.
        depth: distance of the point behind the frame's centre in units of the frame's radius, negative in front of it;
            inf where there is no point.
        mask: whether there is a point.
        index: row of the point in the cloud, -1 where there is none.
    """

    color: UInt8[Tensor, "v h w 3"]
    depth: Float[Tensor, "v h w"]
    mask: Bool[Tensor, "v h w"]
    index: Int64[Tensor, "v h w"]


@torch.no_grad()
def project(
    points: Float[Tensor, "p 3"],
    colors: Float[Tensor, "p 3"] | None,
    *,
    views: Float[Tensor, "v 3 3"] | None = None,
    size: int = 512,
    splat: int = 1,
    background: float = 1.0,
    frame: Frame | None = None,
) -> Projection:
    """Draws a cloud from each view: the nearest point wins a pixel, equally near ones by lowest row.

    Each point covers a square of `splat` pixels. The result is the same in each run and for any number of threads, and
    in any order of the points except where two are equally near. Points whose own pixel lies outside the frame are left
    out.

    Args:
        points: (P, 3), any unit. Positions in the image and depths are computed in float32 relative to the frame.
        colors: (P, 3) in [0, 1]; None draws all points in mid-grey.
        views: rotation matrices as in `pcqa.views`; default: the six axis views.
        size: height and width in pixels.
        splat: side of the square in pixels; an even one reaches one pixel further to the right and down. It is part of
            any metric on the views: keep one value for all stimuli of a content (`pcqa.splat.splat_from_reference`).
        background: grey value from 0 (black) to 1 (white).
        frame: window to show, shared by a reference and its distorted versions; default: fitted to these points.

    Raises:
        ValueError: an option out of range, or a view that is not a rotation.
        InputError: no frame given and all points are equal.
    """
    views = axis_views() if views is None else views
    _check(points, views, size, splat, background)
    frame = fit_frame(points, views) if frame is None else frame
    buffers = torch.full((len(views), size * size + 1), EMPTY, device=points.device)
    scale = frame.pixels_per_unit(size)
    center = torch.tensor(frame.center, dtype=points.dtype, device=points.device)
    for first in range(0, len(points), BLOCK):
        block = points[first : first + BLOCK]
        axes = ((block - center) * scale).float().T.contiguous()
        rows = torch.arange(first, first + len(block), device=points.device)
        for view, buffer in zip(views.tolist(), buffers, strict=True):
            right, up, towards = (_along(direction, axes) for direction in view)
            keys = _encode(-towards, rows)
            buffer.scatter_reduce_(0, _pixels(right, up, size), keys, "amin")
    keys = torch.stack([_spread(buffer[:-1].view(size, size), splat) for buffer in buffers])
    return _resolve(keys, colors, background, depth_unit=scale * frame.radius)


def _along(direction: list[float], axes: Tensor) -> Tensor:
    """Coordinates along a direction.

    Written out, as a matrix product may round a row differently depending on where it stands.
    """
    terms = [
        axis if weight == 1 else axis * weight for weight, axis in zip(direction, axes, strict=True) if weight != 0
    ]
    return sum(terms[1:], start=terms[0])


def _pixels(right: Tensor, up: Tensor, size: int) -> Tensor:
    """Flat index of each point's pixel; `size * size` for points outside."""
    column = torch.floor(right + (size - 1) / 2 + 0.5)
    row = torch.floor((size - 1) / 2 + 0.5 - up)
    inside = (column >= 0) & (column < size) & (row >= 0) & (row < size)
    # In float64: from sizes of 4,096 on, float32 does not hold all indices.
    flat = torch.where(inside, row.double() * size + column, size * size)
    return flat.long()


def _encode(depth: Tensor, rows: Tensor) -> Tensor:
    """One integer whose order is that of depth, then row: 32 bits each."""
    # + 0.0 turns -0.0 into 0.0, which has other bits.
    return (_ordered_bits((depth + 0.0).view(torch.int32)).long() << 32) | rows


def _ordered_bits(bits: Tensor) -> Tensor:
    """Bits of float32 <-> integers of the same order: negative floats run backwards."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


def _spread(keys: Tensor, splat: int) -> Tensor:
    """Minimum over squares: what splatting each point would give, at the cost of 2 (splat - 1) images."""
    before, after = splat // 2, (splat - 1) // 2
    for _ in range(2):
        height, width = keys.shape
        # Not torch's pad: it takes its value as a float, which cannot hold EMPTY.
        padded = keys.new_full((height, before + width + after), EMPTY)
        padded[:, before : before + width] = keys
        keys = padded[:, :width]
        for shift in range(1, splat):
            keys = torch.minimum(keys, padded[:, shift : shift + width])
        keys = keys.T
    return keys


def _resolve(keys: Tensor, colors: Tensor | None, background: float, *, depth_unit: float) -> Projection:
    mask = keys != EMPTY
    index = torch.where(mask, keys & 0xFFFFFFFF, -1)
    depth = _ordered_bits((keys >> 32).int()).view(torch.float32) / depth_unit
    color = torch.full((*keys.shape, 3), round(background * 255), dtype=torch.uint8, device=keys.device)
    if colors is None:
        color[mask] = 128
    else:
        color[mask] = (colors * 255).round().to(torch.uint8)[index[mask]]
    return Projection(color, torch.where(mask, depth, torch.inf), mask, index)


def _check(points: Tensor, views: Tensor, size: int, splat: int, background: float) -> None:
    if not 0 < len(points) < 2**31:
        raise ValueError(f"project needs 1 to {2**31 - 1} points, got {len(points)}")
    if size < 2 or not 1 <= splat <= size or not 0 <= background <= 1:
        raise ValueError(
            f"project needs size >= 2, 1 <= splat <= size and 0 <= background <= 1, "
            f"got size={size}, splat={splat}, background={background}"
        )
    turns = views.double().cpu()
    right, up, towards = turns.unbind(1)
    identity = torch.eye(3, dtype=torch.float64)
    is_rotation = ((turns @ turns.mT - identity).abs() < 1e-5).all(2).all(1) & (
        (torch.linalg.cross(right, up) * towards).sum(1) > 0
    )
    if not is_rotation.all():
        number = int((~is_rotation).nonzero()[0])
        raise ValueError(f"view {number} is not a rotation: rows must be orthonormal and right-handed")
