"""What a type of distortion is."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Distortion:
    """One type.

    Attributes:
        function: of (image (H, W, 3) uint8, amount, random generator), giving the distorted image.
        amounts: of levels 1, 2, ... .
        unit: what an amount counts.
        source: where the amounts come from.
    """

    function: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
    amounts: tuple[float, ...]
    unit: str
    source: str
