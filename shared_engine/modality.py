"""What a modality package hands to the engine and to the command line."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from rankqa_datasets.cache import ArrayCache
from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import Stimulus
from shared_engine.config import RunConfig
from shared_engine.evaluation import Baselines


@runtime_checkable
class Reader(Protocol):
    """Turns the file of one stimulus into the tensors that the model needs.

    Picklable, since loader processes run it, and deterministic: without a generator it returns the fixed crops, patches
    or views of evaluation; with one, every random choice is drawn from it.
    """

    def __call__(self, path: Path, generator: torch.Generator | None) -> dict[str, Tensor]: ...


@runtime_checkable
class PairReader(Reader, Protocol):
    """A reader that can also read a stimulus together with its reference, for full-reference models."""

    def read_pair(self, path: Path, reference: Path, generator: torch.Generator | None) -> dict[str, Tensor]: ...


def read_stimulus(
    reader: Reader, path: Path, reference: Path | None, generator: torch.Generator | None, *, full_reference: bool
) -> dict[str, Tensor]:
    """The tensors of one stimulus, with those of its reference for a full-reference model.

    Raises:
        InputError: the file cannot be read, or a full-reference model meets a stimulus without reference or a modality
            that has no such models.
    """
    if not full_reference:
        return reader(path, generator)
    if reference is None:
        raise InputError(f"{path} has no reference: this model compares with one; give the manifest a column reference")
    if not isinstance(reader, PairReader):
        raise InputError("the model compares with a reference, but this modality reads single stimuli only")
    return reader.read_pair(path, reference, generator)


@runtime_checkable
class FitsInputs(Protocol):
    """A model that keeps statistics of its training inputs in its state, as the means that it subtracts.

    They are taken once, before the first step and before weights of another run, which bring their own.
    """

    def fit_inputs(self, stimuli: Iterable[dict[str, Tensor]]) -> None:
        """Take them from what the reader gives for each training stimulus, without random choices."""


def is_full_reference(model: nn.Module) -> bool:
    """Whether a model compares stimuli with their references: its attribute `full_reference`, False by default."""
    return bool(getattr(model, "full_reference", False))


def _as_it_is(config: Any) -> Any:
    return config


def _no_baselines(stimulus: Stimulus, names: Sequence[str] | None) -> Mapping[str, float]:
    return {}


@dataclass(frozen=True, kw_only=True)
class Modality:
    """One kind of stimulus: its configuration, models, reader and full-reference baselines."""

    name: str
    config_type: type[RunConfig]
    suffixes: tuple[str, ...]
    """Lower-case file endings that `score` picks up in a folder."""
    models: Mapping[str, str]
    """Name -> 'package.module:Class'."""
    reader: Callable[[Any, ArrayCache], Reader]
    baselines: Baselines = _no_baselines
    """Full-reference values by name of a stimulus that has a reference, higher is better: those named, or all that its
    files allow.
    """
    training_baselines: Sequence[str] = ()
    """The quick ones, which every training prints; `rankqa evaluate` prints all."""
    complete: Callable[[Any], RunConfig] = _as_it_is
    """Fills in what only the manifest tells, before a run begins; a complete configuration stays as it is."""
    rows_in: Callable[[Path], Sequence[Path]] | None = None
    """The stimuli in a file, where they are rows of tables: paths of rows as if the table were a folder. None where
    each stimulus is a file of its own.
    """

    @property
    def recipes(self) -> str:
        """The package whose TOML files are the recipes."""
        return self.config_type.recipes
