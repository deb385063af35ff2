"""The sets of features by name."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields

from pcqa.cloud import Cloud
from pcqa.features.nss3d import NSS3D_NAMES, nss3d
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.point_pca2 import PointPCA2, point_pca2

# One of the predictors is called reference_2, which in a manifest would be a slip for `reference`.
PCA2 = "pca2_"


def _point_pca2(cloud: Cloud, reference: Cloud) -> dict[str, float]:
    return {PCA2 + name: value for name, value in asdict(point_pca2(CloudPair(reference, cloud))).items()}


@dataclass(frozen=True)
class FeatureSet:
    """Features of a cloud, or of a cloud and its reference.

    Attributes:
        names: of the features, in order.
        function: from the cloud, and its reference where `needs_reference`, to the features by name.
        needs_reference: whether there must be one.
    """

    names: tuple[str, ...]
    function: Callable[..., dict[str, float]]
    needs_reference: bool = False


FEATURE_SETS = {
    "3d-nss": FeatureSet(NSS3D_NAMES, nss3d),
    "point-pca2": FeatureSet(
        tuple(PCA2 + field.name for field in fields(PointPCA2)), _point_pca2, needs_reference=True
    ),
}
