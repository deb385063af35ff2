"""The full-reference metrics of clouds that the command line knows: pcqa's, and imgqa's on projections."""

from typing import Unpack

from imgqa.metrics.ms_ssim import ms_ssim
from imgqa.metrics.ssim import ssim
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.projected import ProjectedScore, projected
from pcqa.metrics.table import METRICS, Metric
from pcqa.metrics.view_pairs import ViewOptions


def projected_ssim(pair: CloudPair, **options: Unpack[ViewOptions]) -> ProjectedScore:
    """Mean SSIM of projections from the same sides."""
    return projected(pair, ssim, **options)


def projected_ms_ssim(pair: CloudPair, **options: Unpack[ViewOptions]) -> ProjectedScore:
    """Mean MS-SSIM of projections from the same sides."""
    return projected(pair, ms_ssim, **options)


CLOUD_METRICS = METRICS | {
    "projected-ssim": Metric(projected_ssim, "score"),
    "projected-ms-ssim": Metric(projected_ms_ssim, "score"),
}
