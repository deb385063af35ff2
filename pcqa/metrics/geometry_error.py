"""What D1 and D2 report: errors of geometry in both directions, with MPEG's PSNRs."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from pcqa.metrics.merged_cloud import MergedCloud
from pcqa.metrics.psnr import psnr
from rankqa_datasets.errors import InputError

# Nearest neighbours inside the reference at this distance or less do not count for the peak.
LEAST_PEAK = 1e-5


@dataclass(frozen=True)
class GeometryError:
    """`_ab` goes from each point of the reference to the distorted cloud, `_ba` the other way.

    The values without a direction are the worse of the two: the larger distance, the smaller PSNR.

    Attributes:
        peak: the length p of all PSNRs, in the cloud's unit.
        mse_ab, mse_ba, mse: mean of the squared errors, in squared units; 0 is best.
        psnr_ab, psnr_ba, psnr: 10 log10(3 p^2 / mse) in dB, inf for error 0; higher is better.
        hausdorff_ab, hausdorff_ba, hausdorff: largest *squared* error, as the program has it; 0 is best.
        hausdorff_psnr_ab, hausdorff_psnr_ba, hausdorff_psnr: 10 log10(3 p^2 / hausdorff) in dB.
    """

    peak: float
    mse_ab: float
    mse_ba: float
    mse: float
    psnr_ab: float
    psnr_ba: float
    psnr: float
    hausdorff_ab: float
    hausdorff_ba: float
    hausdorff: float
    hausdorff_psnr_ab: float
    hausdorff_psnr_ba: float
    hausdorff_psnr: float

    @classmethod
    def of(
        cls, squares_ab: Float64[np.ndarray, " a"], squares_ba: Float64[np.ndarray, " b"], peak: float
    ) -> "GeometryError":
        """From the squared error of each point."""
        mse_ab, mse_ba = float(squares_ab.mean()), float(squares_ba.mean())
        max_ab, max_ba = float(squares_ab.max()), float(squares_ba.max())
        mse, largest = max(mse_ab, mse_ba), max(max_ab, max_ba)
        return cls(
            peak=peak,
            mse_ab=mse_ab,
            mse_ba=mse_ba,
            mse=mse,
            psnr_ab=psnr(mse_ab, peak, factor=3.0),
            psnr_ba=psnr(mse_ba, peak, factor=3.0),
            psnr=psnr(mse, peak, factor=3.0),
            hausdorff_ab=max_ab,
            hausdorff_ba=max_ba,
            hausdorff=largest,
            hausdorff_psnr_ab=psnr(max_ab, peak, factor=3.0),
            hausdorff_psnr_ba=psnr(max_ba, peak, factor=3.0),
            hausdorff_psnr=psnr(largest, peak, factor=3.0),
        )


def geometry_peak(reference: MergedCloud, peak: float | None) -> float:
    """The peak p: the one given, or the largest distance inside the reference to a nearest neighbour.

    Raises:
        InputError: a peak that is not positive and finite; or none given and no two points more than 1e-5 apart.
    """
    if peak is None:
        if not reference.spacing > LEAST_PEAK:
            raise InputError(
                f"{reference.name}: no two points are more than {LEAST_PEAK:g} apart, so that geometry has no peak; "
                "give peak="
            )
        return reference.spacing
    if not 0 < peak < np.inf:
        raise InputError(f"expected a positive, finite peak (10-bit voxels: 1023), got {peak:g}")
    return peak
