"""The modalities that the command line knows, and how a run finds its own."""

from pathlib import Path
from typing import TYPE_CHECKING

from shared_engine.names import resolve

if TYPE_CHECKING:
    from shared_engine.config import RunConfig
    from shared_engine.modality import Modality

MODALITIES = {
    "image": "imgqa.modality:IMAGE",
    "cloud": "pcqa.modality:CLOUD",
    "features": "shared_engine.features.modality:FEATURES",
}

CONFIG_TYPES = {
    "image": "imgqa.config:ImageRunConfig",
    "cloud": "pcqa.config:CloudRunConfig",
    "features": "shared_engine.features.config:FeatureRunConfig",
}


def get_config_type(name: str) -> "type[RunConfig]":
    """What a run of the modality of that name is configured by; needs no torch, where the modality does."""
    return resolve("modality", name, CONFIG_TYPES)


def get_modality(name: str) -> "Modality":
    """The modality of that name."""
    return resolve("modality", name, MODALITIES)


def read_run(path: Path) -> tuple["Modality", "RunConfig"]:
    """Modality and resolved configuration of a run folder.

    Raises:
        InputError: not a run folder, or one of another version of the configuration.
    """
    from shared_engine.config_files import resolve_config
    from shared_engine.run_folder import RunFolder, read_json

    folder = RunFolder(path)
    folder.require()
    tables = read_json(folder.config)
    modality = get_modality(str(tables.get("modality")))
    return modality, resolve_config(modality.config_type, [tables])
