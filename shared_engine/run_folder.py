"""The folder of one run: where each file lies, written atomically."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from rankqa_datasets.atomic_file import write_bytes_atomically, write_text_atomically
from rankqa_datasets.errors import InputError
from shared_engine.names import UsageProblem

if TYPE_CHECKING:
    import torch  # the functions for weights import it: commands that only read results need not wait for it


class RunFolder:
    """Paths and files of a run: configuration, environment, log, checkpoints, weights, predictions and result."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.json"
        self.environment = path / "environment.json"
        self.split = path / "split.csv"
        self.log = path / "log.csv"
        self.checkpoints = path / "checkpoints"
        self.last = self.checkpoints / "last.pt"
        self.best = self.checkpoints / "best.pt"
        self.model = path / "model.safetensors"
        self.predictions = path / "predictions.csv"
        self.result = path / "result.json"

    def create(self) -> None:
        """Make the folder.

        Raises:
            UsageProblem: something is there already.
            InputError: it cannot be made.
        """
        try:
            if self.path.is_dir() and any(entry.name != "cache" for entry in self.path.iterdir()):
                hint = (
                    f"continue it with: rankqa train --resume {self.path}"
                    if self.config.exists()
                    else "nothing is overwritten"
                )
                raise UsageProblem(f"{self.path} is not empty; {hint}, or give another --out")
            self.checkpoints.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the run folder {self.path}: {error.strerror or error}") from None

    def require(self) -> None:
        """Raises InputError unless this is a run folder."""
        if not self.config.is_file():
            raise InputError(f"{self.path} is not a run folder: it has no config.json")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Indented JSON; NaN and infinity are refused, since not every reader knows them."""
    write_text_atomically(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a run folder.

    Raises:
        InputError: missing or damaged.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing") from None
    except (json.JSONDecodeError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path} is damaged: {error}") from None


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows as CSV with the keys of all as columns; None and a missing key become an empty cell."""
    text = io.StringIO(newline="")
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, fieldnames=names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text_atomically(path, text.getvalue())


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV of the run folder as text.

    Raises:
        InputError: missing or damaged.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read: {error}") from None


def write_weights(path: Path, weights: Mapping[str, "torch.Tensor"], metadata: Mapping[str, str]) -> None:
    """Weights as safetensors; the metadata as one JSON text, since the format keeps no order of keys and files would
    differ.
    """
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    write_bytes_atomically(path, save(tensors, {"rankqa": json.dumps(metadata)}))


def read_weights(path: Path) -> dict[str, "torch.Tensor"]:
    """Weights from safetensors.

    Raises:
        InputError: missing or damaged.
    """
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except FileNotFoundError:
        raise InputError(f"{path} is missing: the run has not finished; continue it with --resume") from None
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} is damaged: {error}") from None
