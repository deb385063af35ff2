"""What a type of distortion is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pcqa.cloud import Cloud

Pair = tuple[float, float]
Amount = float | Pair


@dataclass(frozen=True)
class Distortion:
    """One type.

    Attributes:
        function: of (cloud, amount, random generator), giving the distorted cloud.
        amounts: of levels 1, 2, ...; pairs where a type has two parameters.
        unit: what an amount counts.
        source: where the amounts come from.
        needs_colors: it changes colours, and refuses a cloud that has none.
    """

    function: Callable[[Cloud, Any, np.random.Generator], Cloud]
    amounts: tuple[Amount, ...]
    unit: str
    source: str
    needs_colors: bool
