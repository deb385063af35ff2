"""Both clouds of a pair drawn from the same sides, for metrics on images."""

from typing import TypedDict, Unpack

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pcqa.cloud import Cloud
from pcqa.frame import fit_frame
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.coordinate_limit import require_moderate_coordinates
from pcqa.metrics.merged_points import merge_points
from pcqa.metrics.view_pair import ViewPair
from pcqa.ops.distinct_points import distinct_points
from pcqa.render import render
from pcqa.splat import splat_from_reference
from pcqa.views import view_list
from rankqa_datasets.errors import InputError

# The least side of a cropped view: what the five scales of MS-SSIM with windows of 11 pixels need.
LEAST_SIDE = 176


class ViewOptions(TypedDict, total=False):
    """How a pair is drawn; the defaults are those of `view_pairs`."""

    views: str | Float[Tensor, "v 3 3"]
    size: int
    splat: int | None
    background: float | tuple[float, float, float]
    supersample: int
    field_of_view: float | None
    crop: bool
    device: str


def view_pairs(
    pair: CloudPair,
    *,
    views: str | Float[Tensor, "v 3 3"] = "axis",
    size: int = 512,
    splat: int | None = None,
    background: float | tuple[float, float, float] = 1.0,
    supersample: int = 1,
    field_of_view: float | None = None,
    crop: bool = True,
    device: str = "cpu",
) -> list[ViewPair]:
    """Draws both clouds in the frame of the reference; what the distorted one has outside is not seen.

    Points at one position become one with their mean colour, so that neither the order of the files nor repeated
    points matter. Where both clouds have no colours, the direction of their surfaces is drawn (`normal_colors`).

    Args:
        pair: the clouds.
        views: a name in `pcqa.views.VIEW_LISTS` or (V, 3, 3) rotation matrices.
        size: height and width in pixels before cropping; the reference's box fills it.
        splat: side in pixels of the square for each point of both clouds; default: from the spacing of the reference,
            see `splat_from_reference`.
        background: grey value, or red, green and blue, in [0, 1].
        supersample: draws at this multiple of the size and averages.
        field_of_view: degrees, for a pinhole camera; default: orthographic.
        crop: cuts each view to the smallest box around both clouds, widened to at least 176 x 176 pixels where the
            size allows, so that the empty background carries little weight.
        device: where torch draws, and where the views lie.

    Returns:
        One for each view.

    Raises:
        InputError: only one of the clouds has colours, all points of the reference are equal, coordinates beyond 1e100,
            or an unknown view list.
        ValueError: an option out of range.
    """
    require_moderate_coordinates(pair.reference, pair.distorted)
    _require_same_kind(pair.reference, pair.distorted)
    matrices = view_list(views)
    reference, distorted = _in_own_order(pair.reference), _in_own_order(pair.distorted)
    points = torch.from_numpy(reference.points)
    frame = fit_frame(points, matrices, field_of_view=field_of_view, name=reference.name)
    if splat is None:
        splat = min(size, splat_from_reference(reference.points, pixels_per_unit=frame.pixels_per_unit(size)))
    drawn = [
        render(
            cloud,
            views=matrices,
            size=size,
            splat=splat,
            background=background,
            supersample=supersample,
            frame=frame,
            device=device,
        )
        for cloud in (distorted, reference)
    ]
    masks = drawn[0].mask | drawn[1].mask
    windows = [_box(mask) if crop else (slice(None), slice(None)) for mask in masks]
    return [
        ViewPair(image[window], original[window], mask[window])
        for image, original, mask, window in zip(drawn[0].color, drawn[1].color, masks, windows, strict=True)
    ]


def drawn_views(pair: CloudPair, **options: Unpack[ViewOptions]) -> list[ViewPair]:
    """Those of `view_pairs`, drawn once and kept with the pair for other metrics with the same options."""
    key = frozenset((name, _hashable(value)) for name, value in options.items())
    if key not in pair.drawn_views:
        pair.drawn_views[key] = view_pairs(pair, **options)
    return pair.drawn_views[key]


def _hashable(value: object) -> object:
    return repr(value.tolist()) if isinstance(value, Tensor) else value


def _require_same_kind(reference: Cloud, distorted: Cloud) -> None:
    if (reference.colors is None) != (distorted.colors is None):
        plain, other = (reference, distorted) if reference.colors is None else (distorted, reference)
        raise InputError(
            f"{plain.name} has no colours and {other.name} has: projections need colours in both clouds or in neither"
        )


def _in_own_order(cloud: Cloud) -> Cloud:
    """Sorted float64 points, each position once: of equally near points the first is seen."""
    # Adding 0 turns -0 into 0.
    points = cloud.points.astype(np.float64) + 0.0
    if cloud.colors is None:
        return Cloud(distinct_points(points), source=cloud.source)
    merged = merge_points(points, cloud.colors)
    return Cloud(merged.points, (merged.rgb / 255).astype(np.float32), source=cloud.source)


def _box(mask: Bool[Tensor, "h w"]) -> tuple[slice, slice]:
    """Rows and columns of the smallest box around what is set, widened evenly as far as the view goes."""
    rows, columns = (_span(mask.any(axis)) for axis in (1, 0))
    return rows, columns


def _span(line: Bool[Tensor, " n"]) -> slice:
    found = line.nonzero()
    low, high = int(found[0]), int(found[-1]) + 1
    length = max(high - low, min(LEAST_SIDE, len(line)))
    start = max(0, min((low + high - length) // 2, len(line) - length))
    return slice(start, start + length)
