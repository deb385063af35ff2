"""Two clouds side by side."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def of_both(function: Callable[..., Result], reference: tuple, distorted: tuple) -> tuple[Result, Result]:
    """The function of the arguments of both clouds, in two threads: NumPy's sorts and sums hold no lock."""
    with ThreadPoolExecutor(2) as pool:
        found, other = pool.submit(function, *reference), pool.submit(function, *distorted)
        return found.result(), other.result()
