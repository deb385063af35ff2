"""Errors as colours, from dark blue for 0 to yellow, and the legend that tells their numbers."""

from dataclasses import dataclass
from html import escape

import numpy as np
from jaxtyping import Float, UInt8

# Nine colours of viridis (matplotlib, CC0), evenly spaced: lightness rises, and the colour-blind can read it.
ANCHORS = np.array(
    [
        (68, 1, 84),
        (71, 45, 123),
        (59, 82, 139),
        (44, 114, 142),
        (33, 145, 140),
        (40, 174, 128),
        (94, 201, 98),
        (173, 220, 48),
        (253, 231, 37),
    ]
)
COLORS: UInt8[np.ndarray, "256 3"] = np.stack(
    [np.rint(np.interp(np.arange(256), np.linspace(0, 255, len(ANCHORS)), channel)) for channel in ANCHORS.T], axis=1
).astype(np.uint8)
"""The colour of each of 256 steps."""

# Few far outliers would leave all other points in the first colour.
SHARE_BELOW_TOP = 0.99


@dataclass(frozen=True)
class ErrorScale:
    """What the colours stand for.

    Attributes:
        label: what is measured.
        unit: in words.
        top: the error of the last colour; larger ones have it too. 0 where there is no error.
        largest: the largest error.
    """

    label: str
    unit: str
    top: float
    largest: float

    @classmethod
    def of(cls, label: str, unit: str, *errors: Float[np.ndarray, "..."]) -> "ErrorScale":
        """One scale for all of them: to where 99 % of the errors lie, or to the largest where these are 0."""
        values = np.concatenate([np.ravel(part) for part in errors])
        largest = float(values.max())
        return cls(label, unit, float(np.quantile(values, SHARE_BELOW_TOP)) or largest, largest)

    def steps(self, errors: Float[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
        """The step of each error in COLORS."""
        if self.top == 0:
            return np.zeros(errors.shape, np.uint8)
        return np.rint(np.minimum(errors / self.top, 1) * 255).astype(np.uint8)

    def legend(self) -> str:
        """A bar of the colours with its numbers, in HTML."""
        if self.top == 0:
            return f'<p class="legend">{escape(self.label)}: 0 everywhere</p>'
        stops = ", ".join(f"rgb({r},{g},{b})" for r, g, b in ANCHORS)
        middle, top = f"{self.top / 2:.3g}", f"{self.top:.4g}"
        beyond = f" and more (largest {self.largest:.4g})" if self.largest > self.top else ""
        return (
            f'<div class="legend"><span>{escape(self.label)}, {escape(self.unit)}</span>'
            f'<span class="bar" style="background:linear-gradient(90deg,{stops})"></span>'
            f'<span class="ends"><span>0</span><span>{middle}</span><span>{top}{beyond}</span></span>'
            "</div>"
        )
