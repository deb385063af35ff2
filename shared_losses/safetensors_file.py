"""A reader of safetensors files of float32 and float16 tensors, so that this package needs PyTorch only."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from torch import Tensor

_DTYPES = {"F32": torch.float32, "F16": torch.float16}


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Reads every tensor of a file: 8 bytes of header length, a JSON header, then the values, little-endian.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is no safetensors file, is cut short or holds another type than F32 and F16.
    """
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    if len(data) < 8 or start > len(data):
        raise ValueError(f"{path} is no safetensors file: its header ends at byte {start} of {len(data)}")
    try:
        header = json.loads(data[8:start])
        header.pop("__metadata__", None)
        return {name: _tensor(data[start:], **entry) for name, entry in header.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} has a damaged safetensors header: {error}") from error


def _tensor(data: bytes, dtype: str, shape: list[int], data_offsets: list[int]) -> Tensor:
    begin, end = data_offsets
    if dtype not in _DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(_DTYPES)}, got {dtype!r}")
    kind = _DTYPES[dtype]
    count = math.prod(shape)
    if min(shape, default=0) < 0 or not 0 <= begin <= end <= len(data) or end - begin != count * kind.itemsize:
        raise ValueError(f"{dtype} of shape {shape} at bytes {begin} to {end} of {len(data)}")
    # A bytearray is writable and so no warning is due; frombuffer refuses an empty one.
    return torch.frombuffer(bytearray(data[begin:end]), dtype=kind).reshape(shape) if count else torch.empty(shape)
