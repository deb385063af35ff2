"""The state of training between two epochs, in one file that is either whole or absent."""

import io
import pickle  # noqa: TID251 -- only the name of the error that torch.load raises
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rankqa_datasets.atomic_file import write_bytes_atomically
from rankqa_datasets.errors import InputError

State = dict[str, Any]


def save_checkpoint(path: Path, state: State) -> None:
    """Serialise in memory first, then write atomically: a full disk or a kill leaves the old file whole.

    Raises:
        InputError: it cannot be written.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_bytes_atomically(path, buffer.getvalue())


def load_checkpoint(path: Path) -> State:
    """The state saved by `save_checkpoint`, on the CPU; never executes code from the file.

    Raises:
        InputError: missing or damaged.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(
            f"no checkpoint {path}: the run stopped before its first epoch ended; start it again"
        ) from None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} is not a readable checkpoint: {first_line}") from None


def load_weights(model: nn.Module, weights: State, source: Path) -> None:
    """Copy weights into a model of exactly the same parameters and shapes.

    Raises:
        InputError: they belong to another model; the first difference is named.
    """
    own = model.state_dict()
    missing, extra = sorted(own.keys() - weights.keys()), sorted(weights.keys() - own.keys())
    if missing or extra:
        difference = f"lacks {missing[0]!r}" if missing else f"has {extra[0]!r} too many"
        raise InputError(f"{source} holds another model: it {difference} ({len(missing)} missing, {len(extra)} extra)")
    for name, tensor in own.items():
        if tensor.shape != weights[name].shape:
            raise InputError(
                f"{source} holds another model: {name!r} has shape {tuple(weights[name].shape)}, "
                f"expected {tuple(tensor.shape)}"
            )
    model.load_state_dict(weights)
