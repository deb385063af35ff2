"""One rated image or cloud."""

from dataclasses import dataclass, field
from pathlib import Path

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Stimulus:
    """One row of a manifest.

    Attributes:
        id: the path as the manifest writes it; unique.
        path: the file, absolute, inside the root.
        target: subjective quality on the database's own scale, higher is better.
        reference: the pristine file, where known.
        content: the pristine source that splits group by; where the manifest is silent the reference, else the id.
        target_std: standard deviation of the opinions over raters, on the target's scale.
        votes: number of opinions.
        recipe: distortion type and level.
        split: train, validation or test.
        extra: the cells of columns that are not rankqa's.
    """

    id: str
    path: Path
    target: float
    reference: Path | None
    content: str
    target_std: float | None = None
    votes: int | None = None
    recipe: str | None = None
    split: str | None = None
    extra: dict[str, str] = field(default_factory=dict)
