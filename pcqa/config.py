"""The configuration of a run on point clouds."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from shared_engine.config import Frozen, RunConfig

PATCHES, VIEWS, BOTH = ("patches",), ("views",), ("patches", "views")

MODEL_INPUTS = {
    "dgcnn": PATCHES,
    "gms-3dqa": VIEWS,
    "gpa-net": PATCHES,
    "it-pcqa": VIEWS,
    "mm-pcqa": BOTH,
    "multiview": VIEWS,
    "pointnet2": PATCHES,
    "pointnet2-msg": PATCHES,
    "pqa-net": VIEWS,
    "timm-views": VIEWS,
}
"""Name of a model -> the input tables that it reads. A model of the user's own takes any."""


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
    crop: int | None = Field(None, ge=16)
    """Side of the window cut out of each view, where the cloud is: at random in training, the middle in evaluation.
    Default: the whole view."""
    flip: bool = True
    """Mirror training views at random, left to right and top to bottom."""

    @model_validator(mode="after")
    def _check_crop(self) -> "ViewInput":
        if self.crop is not None and self.crop > self.size:
            raise ValueError(f"crop ({self.crop}) cannot exceed size ({self.size}): raise size")
        return self


class CloudInput(Frozen):
    """What a model sees of a cloud: the table `patches`, the table `views`, or both."""

    patches: PatchInput | None = None
    views: ViewInput | None = None

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the tables that are given."""
        return tuple(name for name in ("patches", "views") if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _check_any(self) -> "CloudInput":
        if not self.tables:
            raise ValueError("input takes the table [input.patches], [input.views] or both, got neither")
        return self


class CloudRunConfig(RunConfig):
    """Everything that determines a run on point clouds."""

    recipes: ClassVar[str] = "pcqa.recipes"
    modality: Literal["cloud"] = "cloud"  # pyright: ignore[reportIncompatibleVariableOverride]
    input: CloudInput

    @property
    def evaluation_batch_size(self) -> int:
        """As many as have the patches of a training step: evaluation reads more of each cloud, and would take more
        memory than training by as much.
        """
        patches, size = self.input.patches, self.engine.batch_size
        return size if patches is None else max(1, min(size, size * patches.train // patches.evaluate))

    @model_validator(mode="after")
    def _check_input(self) -> "CloudRunConfig":
        wanted = MODEL_INPUTS.get(self.model.name, self.input.tables)
        if wanted != self.input.tables:
            raise ValueError(
                f"model {self.model.name!r} reads {' and '.join(wanted)}: give {_listed(wanted)}, "
                f"got {_listed(self.input.tables)}"
            )
        return self


def _listed(tables: tuple[str, ...]) -> str:
    return " and ".join(f"[input.{name}]" for name in tables)
