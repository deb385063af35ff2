"""The shape of each point's neighbourhood, from the eigenvalues of its covariance."""

import numpy as np
from jaxtyping import Float
from scipy.spatial import KDTree

from pcqa.cloud import Cloud
from pcqa.metrics.coordinate_limit import require_moderate_coordinates
from rankqa_datasets.errors import InputError

EIGEN_FEATURES = ("curvature", "anisotropy", "linearity", "planarity", "sphericity")

# A point and its 10 nearest others.
NEIGHBORS = 11
# Points whose neighbourhoods are held at once: 65536 x 11 positions, twice, are 35 MB.
CHUNK = 1 << 16


def eigen_features(cloud: Cloud) -> Float[np.ndarray, "p 5"]:
    """Curvature l3 / (l1 + l2 + l3), and (l1 - l3, l1 - l2, l2 - l3, l3) / l1, of eigenvalues l1 >= l2 >= l3 >= 0.

    The eigenvalues are those of the covariance of a point and its 10 nearest others, in float64. Of equally near points
    the tree chooses, built as that of pyntcloud, so that the numbers are those of the programs that use it. On voxel
    grids, and nowhere else, the order of rows then matters (1e-3 of a typical parameter of 3D-NSS). As there, the first
    of the 11 found is replaced by the point itself, which counts one twice at a position that several points share.

    Args:
        cloud: 11 points or more, in any unit.

    Returns:
        (P, 5) in [0, 1], columns as `EIGEN_FEATURES`; 0 where all neighbours lie at one position.

    Raises:
        InputError: fewer points, or a coordinate beyond 1e100.
    """
    if cloud.num_points < NEIGHBORS:
        raise InputError(
            f"{cloud.name}: expected at least {NEIGHBORS} points, a point and its {NEIGHBORS - 1} nearest others, got "
            f"{cloud.num_points}"
        )
    require_moderate_coordinates(cloud)
    points = cloud.points.astype(np.float64)
    tree = KDTree(points, leafsize=16, balanced_tree=False, compact_nodes=False)
    features = np.empty((len(points), len(EIGEN_FEATURES)))
    for first in range(0, len(points), CHUNK):
        queries = points[first : first + CHUNK]
        rows = np.asarray(tree.query(queries, k=NEIGHBORS, workers=-1)[1])
        rows[:, 0] = np.arange(first, first + len(queries))
        offsets = points[rows]
        offsets -= offsets.mean(axis=1, keepdims=True)
        covariances = offsets.transpose(0, 2, 1) @ offsets / NEIGHBORS
        # Rounding can leave the eigenvalue of a plane just below zero.
        l3, l2, l1 = np.maximum(np.linalg.eigvalsh(covariances), 0).T
        over_l1 = np.divide(1, l1, out=np.zeros_like(l1), where=l1 > 0)
        over_sum = np.divide(1, l1 + l2 + l3, out=np.zeros_like(l1), where=l1 > 0)
        features[first : first + CHUNK] = np.column_stack(
            [l3 * over_sum, (l1 - l3) * over_l1, (l1 - l2) * over_l1, (l2 - l3) * over_l1, l3 * over_l1]
        )
    return features
