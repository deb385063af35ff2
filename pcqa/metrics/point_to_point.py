"""D1: point-to-point distances, with the numbers of MPEG's pc_error 0.14.2."""

from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.geometry_error import GeometryError, geometry_peak


def d1(pair: CloudPair, *, peak: float | None = None) -> GeometryError:
    """Point-to-point error between two clouds: squared distances to the nearest point of the other cloud.

    As in MPEGGroup/mpeg-pcc-dmetric 0.14.2: coordinates are rounded to float32, equal points count once, and the PSNR
    of geometry has a factor 3. The one difference: equal clouds have Hausdorff distance 0, where the program prints
    its smallest number, 2.2e-308.

    Args:
        pair: the clouds, in one unit.
        peak: the program's `--resolution`, for example 1023 for 10-bit voxels. Default: the largest distance from a
            point of the reference to its nearest neighbour there, distances of 1e-5 or less left out.

    Raises:
        InputError: a peak that is not positive and finite; none given and the reference has no two points more than
            1e-5 apart; or coordinates beyond float32.
    """
    peak = geometry_peak(pair.merged_reference, peak)
    return GeometryError.of(pair.ties_ab.squares, pair.ties_ba.squares, peak)
