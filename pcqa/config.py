"""The configuration of a run on point clouds."""

from typing import Literal

from pydantic import Field, model_validator

from shared_engine.config import Frozen, RunConfig

PATCH_MODELS = ("pointnet2", "dgcnn")
VIEW_MODELS = ("multiview",)


class PatchInput(Frozen):
    """Patches of neighbouring points, normalised to the unit sphere one by one."""

    size: int = Field(1024, ge=8, le=32767)
    """Points of a patch. Clouds with fewer are refused."""
    saved: int = Field(16, ge=1)
    """Patches that are cut once and cached for each cloud."""
    train: int = Field(4, ge=1)
    """Patches that a training step draws from the saved ones."""
    evaluate: int = Field(8, ge=1)
    """Patches that evaluation reads: always the first of the saved ones."""
    rotation: Literal["none", "x", "y", "z", "any"] = "any"
    """Random turns of training patches: about one axis of the file, or any rotation."""

    @model_validator(mode="after")
    def _check_counts(self) -> "PatchInput":
        if max(self.train, self.evaluate) > self.saved:
            raise ValueError(
                f"train ({self.train}) and evaluate ({self.evaluate}) cannot exceed saved ({self.saved}): raise saved"
            )
        return self


class ViewInput(Frozen):
    """Orthographic projections."""

    views: Literal["axis", "orbit", "icosphere"] = "axis"
    """Where the cloud is seen from: six views along the axes, eight around +y, or 42 from all sides."""
    size: int = Field(256, ge=16)
    """Height and width in pixels; the cloud's box fills the view."""
    splat: int = Field(3, ge=1)
    """Side of the square that a point covers, in pixels. One value for all stimuli: taken from the stimulus itself it
    would close exactly the holes that down-sampling opens."""
    background: float = Field(1.0, ge=0, le=1)
    """Grey value where no point falls."""
    flip: bool = True
    """Mirror training views at random, left to right and top to bottom."""


class CloudInput(Frozen):
    """What a model sees of a cloud: the table `patches` or the table `views`, exactly one of them."""

    patches: PatchInput | None = None
    views: ViewInput | None = None

    @model_validator(mode="after")
    def _check_one(self) -> "CloudInput":
        if (self.patches is None) == (self.views is None):
            found = "neither" if self.patches is None else "both"
            raise ValueError(f"input takes the table [input.patches] or [input.views], got {found}")
        return self


class CloudRunConfig(RunConfig):
    """Everything that determines a run on point clouds."""

    modality: Literal["cloud"] = "cloud"  # pyright: ignore[reportIncompatibleVariableOverride]
    input: CloudInput

    @model_validator(mode="after")
    def _check_input(self) -> "CloudRunConfig":
        if self.model.name in PATCH_MODELS and self.input.patches is None:
            raise ValueError(f"model {self.model.name!r} reads patches: give [input.patches] instead of [input.views]")
        if self.model.name in VIEW_MODELS and self.input.views is None:
            raise ValueError(f"model {self.model.name!r} reads views: give [input.views] instead of [input.patches]")
        return self
