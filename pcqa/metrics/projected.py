"""Any metric of images on the projections of two clouds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Unpack

from jaxtyping import Float
from torch import Tensor

from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.view_pairs import ViewOptions, drawn_views

ImageMetric = Callable[[Tensor, Tensor], Tensor]
"""(image, reference), both (B, 3, H, W) in [0, 1], to (B,) values."""


@dataclass(frozen=True)
class ProjectedScore:
    """A metric of images on views of two clouds, in the metric's own unit and direction.

    Attributes:
        score: of all views together.
        per_view: of each view, in their order.
    """

    score: float
    per_view: tuple[float, ...]


def projected(pair: CloudPair, metric: ImageMetric, **options: Unpack[ViewOptions]) -> ProjectedScore:
    """Mean over the views of a full-reference metric of images. Better is what the metric calls better.

    Both clouds are drawn in the frame of the reference, with a splat from its spacing, and each view is cropped to the
    box around both. Colours are 8-bit sRGB. The plan is that of Torlig, Alexiou, Fonseca, de Queiroz, Ebrahimi, "A
    novel methodology for quality assessment of voxelized point clouds", SPIE 2018 (orthographic views of the faces of
    the box, a metric of images on each, their mean); view list, splat and crop are ours and part of the number.

    The mean is infinite as soon as one view is: for PSNR take `projected_psnr`, which pools errors before it takes
    the logarithm.

    Args:
        pair: the clouds.
        metric: function (image, reference) -> (B,), called for one view at a time, as cropped views differ in size.
        options: those of `pcqa.metrics.view_pairs.view_pairs`: views, size, splat, background, supersample,
            field_of_view, crop, device.

    Raises:
        InputError: as `view_pairs`, or what the metric raises, for example for views that are too small.
        ValueError: an option out of range, or a metric that gives NaN or anything but one value an image.
    """
    values = []
    for number, view in enumerate(drawn_views(pair, **options)):
        value = metric(_as_batch(view.image), _as_batch(view.reference))
        if value.shape != (1,) or bool(value.isnan()):
            raise ValueError(
                f"expected one number for each image from the metric, got shape {tuple(value.shape)}, "
                f"{value.tolist()} for view {number}"
            )
        values.append(float(value))
    return ProjectedScore(sum(values) / len(values), tuple(values))


def _as_batch(image: Tensor) -> Float[Tensor, "1 3 h w"]:
    return image.permute(2, 0, 1)[None].float() / 255
