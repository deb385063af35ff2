"""Views of a coloured cloud by a z-buffer: deterministic, on CPU and GPU, without a graphics library."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from pcqa.frame import Frame, fit_frame
from pcqa.views import axis_views

# Points worked on at once; bounds the memory for clouds of any size.
BLOCK = 1 << 20
# Pixels drawn at once, before supersampled ones are averaged; views beyond that follow one after the other.
PIXELS = 1 << 24

EMPTY = torch.iinfo(torch.int64).max


# eq=False: comparing tensors with == inside a generated __eq__ raises; identity is what callers need.
@dataclass(frozen=True, eq=False)
class Projection:
    """What each pixel of each view shows; rows from top to bottom. A batch of clouds has one dimension more in front.

    Attributes:
        color: the point's colour, 0 to 255, or the background.
        depth: distance of the point behind the frame's centre, along the view, in units of the frame's radius,
            negative in front of it; inf where there is no point.
        mask: whether there is a point.
        index: row of the point in the cloud, -1 where there is none.
    """

    color: UInt8[Tensor, "*b v h w 3"]
    depth: Float[Tensor, "*b v h w"]
    mask: Bool[Tensor, "*b v h w"]
    index: Int64[Tensor, "*b v h w"]


@torch.no_grad()
def project(
    points: Float[Tensor, "p 3"],
    colors: Float[Tensor, "p 3"] | None,
    *,
    views: Float[Tensor, "v 3 3"] | None = None,
    size: int = 512,
    splat: int = 1,
    background: float | tuple[float, float, float] = 1.0,
    supersample: int = 1,
    frame: Frame | None = None,
) -> Projection:
    """Draws a cloud from each view: the nearest point wins a pixel, equally near ones by lowest row.

    Each point covers a square of `splat` pixels. The result is the same in each run, for any number of threads and on
    every device, and in any order of the points except where two are equally near. Points whose own pixel lies outside
    the frame are left out, as are those behind a pinhole camera. Points are taken in blocks and views in groups, so
    that memory beyond cloud and result is bounded.

    Args:
        points: (P, 3), any unit. Positions in the image and depths are computed in float32 relative to the frame.
        colors: (P, 3) in [0, 1]; None draws all points in mid-grey.
        views: rotation matrices as in `pcqa.views`; default: the six axis views.
        size: height and width in pixels.
        splat: side of the square in pixels, whatever the distance; an even one reaches one pixel further to the right
            and down. It is part of any metric on the views: keep one value for all stimuli of a content
            (`pcqa.splat.splat_from_reference`).
        background: grey value from 0 (black) to 1 (white), or red, green and blue.
        supersample: draws at this multiple of the size. A pixel's colour is then the mean of its part pixels,
            background included; depth, mask and index are those of the nearest point on it.
        frame: window to show, shared by a reference and its distorted versions; default: fitted to these points,
            orthographic. `fit_frame(..., field_of_view=...)` makes one for a pinhole camera.

    Raises:
        ValueError: an option out of range, or a view that is not a rotation.
        InputError: no frame given and all points are equal.
    """
    views = axis_views() if views is None else views
    paint = background if isinstance(background, tuple) else (background,) * 3
    _check(points, views, size, splat, paint, supersample)
    frame = fit_frame(points, views) if frame is None else frame
    parts = []
    for group in views.split(max(1, PIXELS // (size * supersample) ** 2)):
        keys = _draw(points, group, frame, size=size * supersample, scale=supersample * frame.pixels_per_unit(size))
        keys = torch.stack([_spread(buffer, splat * supersample) for buffer in keys])
        depth_unit = supersample * (size - 1) / 2
        parts.append(_resolve(keys, colors, paint, supersample=supersample, depth_unit=depth_unit))
    if len(parts) == 1:
        return parts[0]
    return Projection(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Projection)))


def project_batch(
    points: Sequence[Float[Tensor, "_ 3"]],
    colors: Sequence[Float[Tensor, "_ 3"] | None],
    *,
    frames: Sequence[Frame | None] | None = None,
    **options: Any,
) -> Projection:
    """Draws several clouds of any numbers of points, each as `project` does, into one batch of maps.

    Args:
        points: B clouds.
        colors: theirs.
        frames: theirs; default: each fitted to its cloud.
        options: others of `project`, the same for all.

    Raises:
        ValueError: no clouds, or different numbers of clouds, colours and frames.
    """
    frames = [None] * len(points) if frames is None else frames
    if not 0 < len(points) == len(colors) == len(frames):
        raise ValueError(
            f"project_batch needs as many colours and frames as clouds, at least one, "
            f"got {len(points)} clouds, {len(colors)} colours and {len(frames)} frames"
        )
    # One after the other: a cloud alone keeps the cores busy, and no padding is needed.
    parts = [
        project(cloud, paint, frame=frame, **options)
        for cloud, paint, frame in zip(points, colors, frames, strict=True)
    ]
    return Projection(*(torch.stack([getattr(part, field.name) for part in parts]) for field in fields(Projection)))


def _draw(points: Tensor, views: Tensor, frame: Frame, *, size: int, scale: float) -> Tensor:
    """The least key of each pixel, each point on its own pixel only: (V, size, size)."""
    buffers = torch.full((len(views), size * size + 1), EMPTY, device=points.device)
    center = torch.tensor(frame.center, dtype=points.dtype, device=points.device)
    for first in range(0, len(points), BLOCK):
        block = points[first : first + BLOCK]
        axes = ((block - center) * scale).float().T.contiguous()
        rows = torch.arange(first, first + len(block), device=points.device)
        for view, buffer in zip(views.tolist(), buffers, strict=True):
            right, up, towards = (_along(direction, axes) for direction in view)
            keys = _encode(-towards, rows)
            if frame.distance < math.inf:
                right, up = _pinhole(right, up, towards, frame.distance * scale)
            buffer.scatter_reduce_(0, _pixels(right, up, size), keys, "amin")
    return buffers[:, :-1].unflatten(1, (size, size))


def _pinhole(right: Tensor, up: Tensor, towards: Tensor, distance: float) -> tuple[Tensor, Tensor]:
    """Where rays from the viewer through the points meet the plane of the frame's centre; NaN behind the viewer."""
    lens = distance / (distance - towards)
    lens = torch.where(lens > 0, lens, torch.nan)
    return right * lens, up * lens


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
    """Minimum over squares: what splatting each point would give, at the cost of a few images for any size."""
    before, after = splat // 2, (splat - 1) // 2
    for _ in range(2):
        height, width = keys.shape
        # Not torch's pad: it takes its value as a float, which cannot hold EMPTY.
        padded = keys.new_full((height, before + width + after), EMPTY)
        padded[:, before : before + width] = keys
        # Minima over 2, 4, 8, ... pixels; two that overlap make any other length.
        length = 1
        while length < splat:
            step = min(length, splat - length)
            padded = torch.minimum(padded[:, :-step], padded[:, step:])
            length += step
        keys = padded.T
    return keys


def _resolve(
    keys: Tensor, colors: Tensor | None, paint: tuple[float, ...], *, supersample: int, depth_unit: float
) -> Projection:
    mask, index, color = _look_up(keys, colors, paint)
    if supersample > 1:
        # One part pixel a place: (V, H, s, W, s).
        keys = keys.unflatten(2, (-1, supersample)).unflatten(1, (-1, supersample)).amin((2, 4))
        color = color.unflatten(2, (-1, supersample)).unflatten(1, (-1, supersample))
        # Whole numbers, rounded half up: the same on every device.
        count = supersample**2
        color = ((2 * color.sum((2, 4), dtype=torch.int32) + count) // (2 * count)).to(torch.uint8)
        mask = keys != EMPTY
        index = torch.where(mask, keys & 0xFFFFFFFF, -1)
    depth = _ordered_bits((keys >> 32).int()).view(torch.float32) / depth_unit
    return Projection(color, torch.where(mask, depth, torch.inf), mask, index)


def _look_up(keys: Tensor, colors: Tensor | None, paint: tuple[float, ...]) -> tuple[Tensor, Tensor, Tensor]:
    mask = keys != EMPTY
    index = torch.where(mask, keys & 0xFFFFFFFF, -1)
    ground = torch.tensor([round(value * 255) for value in paint], dtype=torch.uint8, device=keys.device)
    color = ground.repeat(*keys.shape, 1)
    color[mask] = 128 if colors is None else (colors[index[mask]] * 255).round().to(torch.uint8)
    return mask, index, color


def _check(points: Tensor, views: Tensor, size: int, splat: int, paint: tuple[float, ...], supersample: int) -> None:
    if not 0 < len(points) < 2**31:
        raise ValueError(f"project needs 1 to {2**31 - 1} points, got {len(points)}")
    if size < 2 or not 1 <= splat <= size or not all(0 <= value <= 1 for value in paint) or supersample < 1:
        raise ValueError(
            f"project needs size >= 2, 1 <= splat <= size, background in [0, 1] and supersample >= 1, "
            f"got size={size}, splat={splat}, background={paint} and supersample={supersample}"
        )
    if len(views) == 0:
        raise ValueError("project needs at least one view, got none")
    turns = views.double().cpu()
    right, up, towards = turns.unbind(1)
    identity = torch.eye(3, dtype=torch.float64)
    is_rotation = ((turns @ turns.mT - identity).abs() < 1e-5).all(2).all(1) & (
        (torch.linalg.cross(right, up) * towards).sum(1) > 0
    )
    if not is_rotation.all():
        number = int((~is_rotation).nonzero()[0])
        raise ValueError(f"view {number} is not a rotation: rows must be orthonormal and right-handed")
