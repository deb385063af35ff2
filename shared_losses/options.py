"""Checks of the options that losses take."""

from __future__ import annotations

import math
from collections.abc import Iterable

from shared_losses.shapes import Number


def check_choice(name: str, value: str, choices: Iterable[str]) -> None:
    """Raises ValueError, listing the choices, unless `value` is one of them."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}")


def check_positive(name: str, value: Number) -> None:
    """Raises ValueError unless `value` is positive and finite."""
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be positive and finite, got {value}")


def check_not_negative(name: str, value: Number) -> None:
    """Raises ValueError unless `value` is finite and not negative."""
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be finite and not negative, got {value}")
