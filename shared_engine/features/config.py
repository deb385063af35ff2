"""The configuration of a run on a table of features."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from shared_engine.config import Frozen, RunConfig


class FeatureInput(Frozen):
    """Which columns of the table are the features: all that hold numbers, unless `columns` or `prefix` choose."""

    columns: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Their names. A run writes them into its configuration, and finds them by name in any other table."""
    prefix: str | None = Field(default=None, min_length=1)
    """What their names begin with."""

    @model_validator(mode="after")
    def _check_choice(self) -> "FeatureInput":
        if self.columns is not None and self.prefix is not None:
            raise ValueError("input.columns and input.prefix exclude each other")
        if self.columns is not None and len(set(self.columns)) < len(self.columns):
            raise ValueError("input.columns names a column twice")
        return self


class FeatureRunConfig(RunConfig):
    """A run on a table of features."""

    recipes: ClassVar[str] = "shared_engine.features.recipes"
    # A frozen field may be narrowed; pyright does not see that the tree is frozen.
    modality: Literal["features"] = "features"  # pyright: ignore[reportIncompatibleVariableOverride]
    input: FeatureInput = FeatureInput()
