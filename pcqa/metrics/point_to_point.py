"""D1: point-to-point distances, with the numbers of MPEG's pc_error 0.14.2."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from pcqa.cloud import Cloud
from pcqa.ops.distinct_points import distinct_points
from rankqa_datasets.errors import InputError

# Nearest neighbours inside the reference at this distance or less do not count for the peak.
LEAST_PEAK = 1e-5


@dataclass(frozen=True)
class PointToPoint:
    """D1 values; `_ab` goes from each point of the reference to the distorted cloud, `_ba` the other way.

    The values without a direction are the worse of the two: the larger distance, the smaller PSNR.

    Attributes:
        peak: the length p of all PSNRs, in the cloud's unit.
        mse_ab, mse_ba, mse: mean squared nearest distance, in squared units; 0 is best.
        psnr_ab, psnr_ba, psnr: 10 log10(3 p^2 / mse) in dB, inf for distance 0; higher is better.
        hausdorff_ab, hausdorff_ba, hausdorff: largest *squared* nearest distance, as the program has it.
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


def d1(reference: Cloud, distorted: Cloud, *, peak: float | None = None) -> PointToPoint:
    """Point-to-point error between two clouds.

    As in MPEGGroup/mpeg-pcc-dmetric 0.14.2: coordinates are rounded to float32, equal points count once, and the PSNR
    of geometry has a factor 3. The one difference: equal clouds have Hausdorff distance 0, where the program prints
    its smallest number, 2.2e-308.

    Args:
        reference: the pristine cloud.
        distorted: the cloud to judge, in the same unit.
        peak: the program's `--resolution`, for example 1023 for 10-bit voxels. Default: the largest distance from a
            point of the reference to its nearest neighbour there, distances of 1e-5 or less left out.

    Raises:
        InputError: a peak that is not positive and finite; or none given and the reference has no two points more than
            1e-5 apart.
    """
    a, b = _float32_points(reference), _float32_points(distorted)
    tree_a = _tree(a)
    peak = _largest_spacing(a, tree_a, reference.name) if peak is None else float(peak)
    if not 0 < peak < np.inf:
        raise InputError(f"expected a positive, finite peak (10-bit voxels: 1023), got {peak:g}")
    squares_ab, squares_ba = _squared_distances(a, b, _tree(b)), _squared_distances(b, a, tree_a)
    mse_ab, mse_ba = float(squares_ab.mean()), float(squares_ba.mean())
    max_ab, max_ba = float(squares_ab.max()), float(squares_ba.max())
    return PointToPoint(
        peak=peak,
        mse_ab=mse_ab,
        mse_ba=mse_ba,
        mse=max(mse_ab, mse_ba),
        psnr_ab=_psnr(mse_ab, peak),
        psnr_ba=_psnr(mse_ba, peak),
        psnr=_psnr(max(mse_ab, mse_ba), peak),
        hausdorff_ab=max_ab,
        hausdorff_ba=max_ba,
        hausdorff=max(max_ab, max_ba),
        hausdorff_psnr_ab=_psnr(max_ab, peak),
        hausdorff_psnr_ba=_psnr(max_ba, peak),
        hausdorff_psnr=_psnr(max(max_ab, max_ba), peak),
    )


def _float32_points(cloud: Cloud) -> np.ndarray:
    with np.errstate(over="ignore"):
        points = cloud.points.astype(np.float32)
    if not np.isfinite(points).all():
        raise InputError(f"{cloud.name}: D1 needs coordinates within float32 (3.4e38), got {abs(cloud.points).max():g}")
    return distinct_points(points)


def _tree(points: np.ndarray) -> KDTree:
    # Sorted points make a good tree without the work of balancing it.
    return KDTree(points, balanced_tree=False, compact_nodes=False)


def _squared_distances(queries: np.ndarray, points: np.ndarray, tree: KDTree) -> np.ndarray:
    _, nearest = tree.query(queries, workers=-1)
    return _squared(queries - points[nearest])


def _squared(differences: np.ndarray) -> np.ndarray:
    # As the program: the difference is float32, its square and the sum are float64.
    return np.square(differences.astype(np.float64)).sum(axis=1)


def _largest_spacing(points: np.ndarray, tree: KDTree, name: str) -> float:
    if len(points) > 1:
        _, nearest = tree.query(points, k=2, workers=-1)
        spacing = float(np.sqrt(_squared(points - points[np.asarray(nearest)[:, 1]]).max()))
        if spacing > LEAST_PEAK:
            return spacing
    raise InputError(f"{name}: no two points are more than {LEAST_PEAK:g} apart, so that D1 has no peak; give peak=")


def _psnr(value: float, peak: float) -> float:
    return float(10 * np.log10(3 * peak**2 / value)) if value > 0 else float("inf")
