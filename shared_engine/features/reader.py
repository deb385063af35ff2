"""From a row of a table to the features that a model sees."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from rankqa_datasets.cache import ArrayCache
from rankqa_datasets.errors import InputError
from shared_engine.features.config import FeatureInput, FeatureRunConfig
from shared_engine.features.table import FeatureTable
from shared_engine.names import UsageProblem


class FeatureReader:
    """Reads rows, named by the path of their table with the row's own path below; tables are kept once read."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self._tables: dict[Path, FeatureTable] = {}
        self._rows: dict[Path, Tensor] = {}

    def __call__(self, path: Path, generator: torch.Generator | None) -> dict[str, Tensor]:
        """Features of one row.

        Args:
            path: TABLE/ROW.
            generator: not used: nothing is random.

        Returns:
            `features`: float32 (F,) in the order of the columns.

        Raises:
            InputError: no such table, row or column, or a cell that is not a finite number.
        """
        if path not in self._rows:
            file = next((parent for parent in path.parents if parent.is_file()), None)
            if file is None:
                raise InputError(f"no table of features for {path}: expected TABLE.csv/ROW")
            if file not in self._tables:
                self._tables[file] = FeatureTable(file)
            features = self._tables[file].features(str(path.relative_to(file)), self.columns)
            self._rows[path] = torch.from_numpy(features)
        return {"features": self._rows[path]}


def rows_in(table: Path) -> list[Path]:
    """The rows of a table as the reader takes them, in order.

    Raises:
        InputError: not a table.
    """
    return [table / row for row in FeatureTable(table).rows]


def feature_reader(config: FeatureRunConfig, cache: ArrayCache) -> FeatureReader:
    """The reader of a run with a complete configuration; nothing is cached on the disk."""
    if config.input.columns is None:
        raise UsageProblem("input.columns is missing: the configuration is not that of a run")
    return FeatureReader(config.input.columns)


def name_columns(config: FeatureRunConfig) -> FeatureRunConfig:
    """The configuration with the features of its manifest named, and their number among the model's options.

    Raises:
        InputError: not a table of features, or a feature that equals the target in every row.
    """
    table = FeatureTable(Path(config.data.manifest))
    columns = table.choose(config.input.columns, config.input.prefix)
    leak = next((name for name in columns if table.equals_target(name)), None)
    if leak is not None:
        raise InputError(
            f"{table.path}: the column '{leak}' equals the target in every row: name the features with "
            "--set input.columns=[...] or remove it"
        )
    model = config.model.model_copy(update={"options": {**config.model.options, "features": len(columns)}})
    return config.model_copy(update={"input": FeatureInput(columns=columns), "model": model})
