"""What a modality package hands to the engine and to the command line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from rankqa_datasets.cache import ArrayCache
from rankqa_datasets.manifest import Stimulus
from shared_engine.config import RunConfig


@runtime_checkable
class Reader(Protocol):
    """Turns the file of one stimulus into the tensors that the model needs.

    Picklable, since loader processes run it, and deterministic: without a generator it returns the fixed crops, patches
    or views of evaluation; with one, every random choice is drawn from it.
    """

    def __call__(self, path: Path, generator: torch.Generator | None) -> dict[str, Tensor]: ...


@dataclass(frozen=True, kw_only=True)
class Modality:
    """One kind of stimulus: its configuration, models, reader and full-reference baselines."""

    name: str
    config_type: type[RunConfig]
    suffixes: tuple[str, ...]
    """Lower-case file endings that `score` picks up in a folder."""
    models: Mapping[str, str]
    """Name -> 'package.module:Class'."""
    recipes: str
    """The package whose TOML files are the recipes."""
    reader: Callable[[Any, ArrayCache], Reader]
    baselines: Mapping[str, Callable[[Stimulus], float]]
    """Name -> full-reference value of one stimulus that has a reference; higher is better."""
