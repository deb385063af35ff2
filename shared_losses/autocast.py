"""Functions that run in the precision of their input, whatever surrounds them."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
T = TypeVar("T")


def without_autocast(function: Callable[P, T]) -> Callable[P, T]:
    """Switches automatic mixed precision off inside `function`, on the device of its first tensor argument."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        tensor = next((value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)), None)
        with torch.autocast("cpu" if tensor is None else tensor.device.type, enabled=False):
            return function(*args, **kwargs)

    return run
