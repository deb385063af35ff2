"""Functions that run in the precision of their input, whatever surrounds them."""

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
T = TypeVar("T")


def without_autocast(function: Callable[P, T]) -> Callable[P, T]:
    """Switches automatic mixed precision off inside `function`, on the device of its first tensor argument.

    Within torch.compile the function is one graph break and runs as it is: it checks values and sorts, which no graph
    captures, and it should give the same result there.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        tensor = next((value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)), None)
        # The compiler takes a second to import; where it is not loaded nothing can be compiling.
        plain = _uncompiled(function) if "torch._dynamo" in sys.modules else function
        with torch.autocast("cpu" if tensor is None else tensor.device.type, enabled=False):
            return plain(*args, **kwargs)

    return run


@functools.cache
def _uncompiled(function: Callable[P, T]) -> Callable[P, T]:
    return torch.compiler.disable(function)  # pyright: ignore[reportReturnType]
