"""The configuration of an image run: the shared tree with the image input."""

import math
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from shared_engine.config import Frozen, RunConfig


class ImageInput(Frozen):
    """What a model sees of an image: square crops of `crop` pixels, never resized."""

    crop: int = Field(default=224, ge=16)
    train_crops: int = Field(default=1, ge=1)
    """Random crops of an image in each epoch; the score of the image is the mean over them."""
    eval_view: Literal["grid", "five", "full"] = "grid"
    """What evaluation sees, the same every time: a grid of crops, the four corners and the centre, or the whole image
    at once (for models that take any size; scored one by one, since sizes differ).
    """
    eval_crops: int = Field(default=4, ge=1)
    """Crops of the grid, a square number n * n: the n x n grid from corner to corner, 1 the centre."""
    horizontal_flip: bool = True
    small_images: Literal["refuse", "mirror"] = "refuse"
    """What becomes of an image with fewer pixels than a crop: an error, or it is continued by its mirror image."""

    @field_validator("eval_crops")
    @classmethod
    def _check_grid(cls, value: int) -> int:
        if math.isqrt(value) ** 2 != value:
            raise ValueError(f"expected a square number (1, 4, 9, 16, ...), got {value}")
        return value


class ImageRunConfig(RunConfig):
    """A run on images."""

    recipes: ClassVar[str] = "imgqa.recipes"
    # A frozen field may be narrowed; pyright does not see that the tree is frozen.
    modality: Literal["image"] = "image"  # pyright: ignore[reportIncompatibleVariableOverride]
    input: ImageInput = ImageInput()
