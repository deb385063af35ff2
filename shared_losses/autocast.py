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
    uncompiled: list[Callable[P, T]] = []

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        tensor = next((value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)), None)
        # The compiler takes a second to import; where it is not loaded nothing can be compiling.
        if "torch._dynamo" in sys.modules and not uncompiled:
            uncompiled.append(torch.compiler.disable(function))  # pyright: ignore[reportArgumentType]
        with torch.autocast("cpu" if tensor is None else tensor.device.type, enabled=False):
            return (uncompiled[0] if uncompiled else function)(*args, **kwargs)

    return run
