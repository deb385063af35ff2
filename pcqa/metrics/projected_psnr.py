"""PSNR of the projections of two clouds, on what the clouds cover."""

from typing import Unpack

from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.projected import ProjectedScore
from pcqa.metrics.psnr import psnr
from pcqa.metrics.view_pairs import ViewOptions, drawn_views


def projected_psnr(pair: CloudPair, **options: Unpack[ViewOptions]) -> ProjectedScore:
    """PSNR in dB over the pixels where at least one of the clouds is; higher is better, infinite for equal views.

    The squared error of 8-bit red, green and blue against a peak of 255, its mean over these pixels: of each view in
    `per_view`, of all views' pixels together in `score`. So background that both clouds leave free does not count, a
    view weighs as much as it shows, and one equal view does not make the score infinite. Where only one cloud is, the
    other shows the background, which is therefore part of the number.

    Args:
        pair: the clouds.
        options: those of `pcqa.metrics.view_pairs.view_pairs`; `crop` changes nothing here.

    Raises:
        InputError: as `view_pairs`.
        ValueError: an option out of range.
    """
    errors, counts = [], []
    for view in drawn_views(pair, **options):
        # Exact in integers: the same on every device.
        difference = (view.image.int() - view.reference.int()) * view.mask[..., None]
        errors.append(int(difference.square().sum()))
        counts.append(3 * int(view.mask.sum()))
    per_view = tuple(psnr(error / count, 255.0) for error, count in zip(errors, counts, strict=True))
    return ProjectedScore(psnr(sum(errors) / sum(counts), 255.0), per_view)
