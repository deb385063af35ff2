"""From a cloud's file to the tensors of a model."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from pcqa.config import CloudRunConfig
from pcqa.models.grouping import MULTI_SCALE, Grouping, make_groupings
from pcqa.patch_reader import PatchReader
from pcqa.view_reader import ViewReader
from rankqa_datasets.cache import ArrayCache
from shared_engine.modality import Reader

GROUPED_MODELS = {"pointnet2": {}, "pointnet2-msg": MULTI_SCALE, "mm-pcqa": MULTI_SCALE}
"""Models whose neighbours are precomputed -> their levels where the options do not say."""
GROUPING_OPTIONS = ("counts", "radii", "neighbors")


@dataclass(frozen=True)
class PatchViewReader:
    """Reads patches and views of a cloud, for models that look at both."""

    patches: PatchReader
    views: ViewReader

    def __call__(self, path: Path, generator: torch.Generator | None) -> dict[str, Tensor]:
        """The tensors of both readers; see there."""
        return self.patches(path, generator) | self.views(path, generator)


def make_reader(config: CloudRunConfig, cache: ArrayCache) -> Reader:
    """The reader for `config.input`; for models with PointNet++ it precomputes the neighbours that the options ask for.

    Raises:
        InputError: options of the model that describe no grouping.
    """
    readers = []
    if config.input.patches is not None:
        readers.append(PatchReader(config.input.patches, cache, _groupings(config)))
    if config.input.views is not None:
        readers.append(ViewReader(config.input.views, cache))
    return readers[0] if len(readers) == 1 else PatchViewReader(*readers)


def _groupings(config: CloudRunConfig) -> tuple[Grouping, ...]:
    if config.model.name not in GROUPED_MODELS:
        return ()
    given = {name: value for name, value in config.model.options.items() if name in GROUPING_OPTIONS}
    return make_groupings(**GROUPED_MODELS[config.model.name] | given)
