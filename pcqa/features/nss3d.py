"""3D-NSS: 64 natural scene statistics of a coloured cloud, without a reference."""

import numpy as np

from pcqa.cloud import Cloud
from pcqa.features.cielab import cielab
from pcqa.features.distributions import binned_entropy, fit_aggd, fit_gamma, fit_ggd
from pcqa.features.eigen_features import EIGEN_FEATURES, eigen_features
from rankqa_datasets.errors import InputError

COLOR_STATISTICS = ("mean", "std", "entropy")
# GGD: shape, root mean square; AGGD: shape, mean, left and right deviation; Gamma: shape, scale.
SHAPE_STATISTICS = (*COLOR_STATISTICS, "ggd1", "ggd2", "aggd1", "aggd2", "aggd3", "aggd4", "gamma1", "gamma2")

NSS3D_NAMES = (
    *(f"{channel}_{statistic}" for channel in "lab" for statistic in COLOR_STATISTICS),
    *(f"{feature}_{statistic}" for feature in EIGEN_FEATURES for statistic in SHAPE_STATISTICS),
)

# A smaller spread of ratios in [0, 1] is rounding, not a distribution.
LEAST_SPREAD = 1e-9


def nss3d(cloud: Cloud) -> dict[str, float]:
    """The statistics of Zhang et al., "No-Reference Quality Assessment for 3D Colored Point Cloud and Mesh Models",
    IEEE TCSVT 2022, in the order of the tables released with its program zzc-1998/NR-3DQA.

    Of L*, a*, b* the mean, the deviation (n - 1) and the entropy; of curvature, anisotropy, linearity, planarity and
    sphericity these and the parameters of three distributions. As in the program, and unlike what their names suggest:
    the generalised Gaussian is fitted about zero to ratios that are never negative, so that its shape often ends at
    the limit, 10; the asymmetric one is fitted to values of mean 0 and deviation 1; Gamma's second parameter is its
    scale, not its rate; planes are neighbourhoods of 11 points whatever the density.

    The program computes ratios and histograms of float32 files in float32. In float64, as here, its numbers are met to
    1e-13, else to 1e-4, but for entropies on voxel grids, where many ratios lie on the edge of a bin (2e-3).
    The released table of WPC has these statistics. That of SJTU-PCQA has an earlier version's `gamma1` and `gamma2`, a
    numerical fit of three parameters that has not always converged: leave these ten columns out where a regressor
    trained on that table is to score other clouds.

    Args:
        cloud: with colours, 11 points or more, in any unit.

    Returns:
        64 finite numbers by `NSS3D_NAMES`.

    Raises:
        InputError: no colours, too few points, or a shape that is the same everywhere, as of points in one plane.
    """
    if cloud.colors is None:
        raise InputError(f"{cloud.name}: 3D-NSS has statistics of colours, and the cloud has none")
    values = []
    for channel in cielab(cloud.colors).T:
        values += _moments(channel)
    for name, feature in zip(EIGEN_FEATURES, eigen_features(cloud).T, strict=True):
        if np.ptp(feature) < LEAST_SPREAD:
            raise InputError(
                f"{cloud.name}: the {name} is {feature[0]:.3g} at every point, and 3D-NSS fits distributions to it"
            )
        values += _moments(feature)
        values += fit_ggd(feature)
        values += fit_aggd((feature - feature.mean()) / feature.std(ddof=1))
        values += fit_gamma(feature)
    return dict(zip(NSS3D_NAMES, values, strict=True))


def _moments(values: np.ndarray) -> tuple[float, float, float]:
    return float(values.mean()), float(values.std(ddof=1)), binned_entropy(values)
