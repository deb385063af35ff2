"""From a cloud's file to the tensors of a model."""

from pcqa.config import CloudRunConfig
from pcqa.models.grouping import make_groupings
from pcqa.patch_reader import PatchReader
from pcqa.view_reader import ViewReader
from rankqa_datasets.cache import ArrayCache
from shared_engine.modality import Reader

GROUPED_MODEL = "pointnet2"
GROUPING_OPTIONS = ("counts", "radii", "neighbors")


def make_reader(config: CloudRunConfig, cache: ArrayCache) -> Reader:
    """The reader for `config.input`; for PointNet++ it precomputes the neighbours that the model's options ask for.

    Raises:
        InputError: options of the model that describe no grouping.
    """
    if config.input.views is not None:
        return ViewReader(config.input.views, cache)
    assert config.input.patches is not None  # CloudInput holds exactly one of the two
    groupings = ()
    if config.model.name == GROUPED_MODEL:
        groupings = make_groupings(**{k: v for k, v in config.model.options.items() if k in GROUPING_OPTIONS})
    return PatchReader(config.input.patches, cache, groupings)
