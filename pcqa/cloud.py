"""The cloud record that every reader returns and every metric, patch maker and projection takes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rankqa_datasets.errors import InputError


# eq=False: comparing arrays with == inside a generated __eq__ raises; identity is what callers need.
@dataclass(frozen=True, eq=False)
class Cloud:
    """A coloured point cloud as it lies in its file; never empty, never NaN.

    Attributes:
        points: (P, 3) float32 or float64, P >= 1, finite, in the file's own unit.
        colors: (P, 3) float32 in [0, 1], order red, green, blue; None if the cloud has none.
        normals: (P, 3) float32, finite, of any length; None if the cloud has none.
        source: the file it was read from, used in messages; None for a cloud made in memory.

    Raises:
        InputError: a wrong shape or dtype, no points, a value that is not finite, or a colour outside [0, 1].
    """

    points: np.ndarray
    colors: np.ndarray | None = None
    normals: np.ndarray | None = None
    source: Path | None = None

    def __post_init__(self) -> None:
        points = self.points
        if points.ndim != 2 or points.shape[1] != 3 or points.dtype not in (np.float32, np.float64):
            self._refuse(f"points must be (P, 3) float32 or float64, got {points.shape} {points.dtype}")
        if len(points) == 0:
            self._refuse("the cloud has no points; at least one is needed")
        self._require_finite("points", points)
        for name, values in (("colors", self.colors), ("normals", self.normals)):
            if values is None:
                continue
            if values.shape != points.shape or values.dtype != np.float32:
                self._refuse(f"{name} must be {points.shape} float32, got {values.shape} {values.dtype}")
            self._require_finite(name, values)
        if self.colors is not None and (self.colors.min() < 0 or self.colors.max() > 1):
            low, high = self.colors.min(), self.colors.max()
            self._refuse(f"colors must lie in [0, 1], got {low:g} to {high:g}; divide them by their peak first")

    @property
    def num_points(self) -> int:
        """Number of points P."""
        return len(self.points)

    @property
    def name(self) -> str:
        """How messages call this cloud: its file, or 'cloud' when it was made in memory."""
        return "cloud" if self.source is None else str(self.source)

    def _require_finite(self, name: str, values: np.ndarray) -> None:
        finite = np.isfinite(values)
        if not finite.all():
            row = int(np.flatnonzero(~finite.all(axis=1))[0])
            found = ", ".join(f"{value:g}" for value in values[row])
            self._refuse(f"{name} must be finite numbers, got ({found}) in row {row}; remove such rows first")

    def _refuse(self, problem: str) -> None:
        raise InputError(f"{self.name}: {problem}")
