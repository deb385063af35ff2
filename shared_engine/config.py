"""The configuration tree of a run: frozen, typed, and closed to unknown keys.

A modality package subclasses `RunConfig` to add its own `input` table and to fix the name of the modality.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_serializer, model_validator

from shared_engine.names import closest


class Frozen(BaseModel):
    """A table of the configuration: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DataConfig(Frozen):
    """Which stimuli, and how they are divided.

    The parts come from `split` (a CSV `path,split`) if given, else from the manifest's `split` column, else from
    `test_share` and `split_seed`, always by content.
    """

    manifest: str
    root: str | None = None
    split: str | None = None
    test_share: float = Field(default=0.2, gt=0, lt=1)
    validation_share: float = Field(default=0.2, gt=0, lt=1)
    """Share of the training part that is set aside, by content, when selection needs a validation part."""
    split_seed: int = Field(default=0, ge=0)
    classes: str | None = None
    """Column of the manifest with the class of each stimulus, such as its type of distortion, for terms that learn
    classes. An empty cell is an unknown class.
    """

    @model_serializer(mode="wrap")
    def _leave_out_unset(self, write: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        # The runs of a grid are named by a hash of their configuration: without classes as before there were any.
        table = write(self)
        return table if self.classes is not None else {k: v for k, v in table.items() if k != "classes"}


class ModelConfig(Frozen):
    """A name from the modality's table of models, and the keyword arguments of its constructor."""

    name: str
    options: dict[str, Any] = {}
    init: str | None = None
    """Run folder whose weights to start from, of the same model."""


class TermConfig(Frozen):
    """One term of the objective: a name from the table of losses, its weight and its keyword options."""

    name: str
    weight: float = Field(default=1.0, gt=0)
    bank: bool = False
    options: dict[str, Any] = {}
    output: str = "scores"
    """What the loss takes as scores, or as logits of classes: another output of the model for a head with a loss of its
    own.
    """


class BankConfig(Frozen):
    """The bank of earlier scores: one slot for each training stimulus, or the latest `capacity` of them."""

    kind: Literal["table", "fifo"] = "table"
    capacity: int | None = Field(default=None, ge=1)
    max_age: int | None = Field(default=None, ge=1)
    """Leave out rows pushed more than this many optimiser steps ago."""
    warmup: float | None = Field(default=None, gt=0, le=1)
    """Fill at which terms that use the bank reach their full weight; before, it grows in proportion to the fill."""
    align: bool = False
    """Move stored scores by the drift that the stimuli of the batch show (a table only)."""

    @model_validator(mode="after")
    def _check_capacity(self) -> "BankConfig":
        if (self.kind == "fifo") != (self.capacity is not None):
            raise ValueError("bank.capacity goes with kind = 'fifo', and a fifo bank needs it")
        if self.align and self.kind == "fifo":
            raise ValueError("bank.align needs kind = 'table': a fifo does not know which stimuli come again")
        return self


class ObjectiveConfig(Frozen):
    """The weighted sum that training minimises: terms and bank, or a preset, which stands in place of both."""

    preset: str | None = None
    """Name of a published objective (`rankqa list presets`)."""
    within: tuple[str, ...] = ()
    """Columns of the manifest: only stimuli that agree in them are compared, and a batch holds them all together."""
    terms: tuple[TermConfig, ...] = Field(min_length=1)
    bank: BankConfig | None = None
    """`false` takes away the bank of a recipe."""

    @model_validator(mode="before")
    @classmethod
    def _expand_preset(cls, table: Any) -> Any:
        if not isinstance(table, dict) or table.get("preset") is None:
            return table
        from shared_losses.presets import PRESETS

        if table["preset"] not in PRESETS:
            raise ValueError(f"unknown preset {table['preset']!r}: {closest(str(table['preset']), list(PRESETS))}")
        preset = PRESETS[table["preset"]]()
        terms = [
            {
                "name": term.name,
                "weight": term.weight,
                "bank": term.use_bank,
                "options": dict(term.options),
                "output": term.output,
            }
            for term in preset.terms
        ]
        bank = None if preset.bank is None else {"kind": preset.bank, "capacity": preset.capacity}
        return {**table, "terms": terms, "bank": bank}

    @field_validator("bank", mode="before")
    @classmethod
    def _without_bank(cls, table: Any) -> Any:
        # TOML has no null, and a table over a table is merged with it.
        return None if table is False else table

    @model_validator(mode="after")
    def _check_terms(self) -> "ObjectiveConfig":
        names = [(term.name, term.output) for term in self.terms]
        if len(set(names)) < len(names):
            listed = ", ".join(name for name, _ in names)
            raise ValueError(f"each term may stand once for an output in objective.terms, got {listed}")
        if self.within and (self.bank is not None or any(term.bank for term in self.terms)):
            raise ValueError("objective.within compares the stimuli of one batch: leave the bank out")
        if any(term.bank for term in self.terms) and self.bank is None:
            raise ValueError("a term with bank = true needs the table [objective.bank]")
        return self


class OptimConfig(Frozen):
    """Optimiser and learning-rate schedule: linear warm-up, then a cosine to zero or a constant rate."""

    name: Literal["adam", "adamw", "sgd"] = "adamw"
    lr: float = Field(default=1e-3, gt=0)
    backbone_lr_ratio: float = Field(default=1.0, ge=0)
    """Factor on `lr` for the parameters that the model calls its backbone."""
    weight_decay: float = Field(default=0.0, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup_epochs: float = Field(default=0.0, ge=0)
    clip_norm: float | None = Field(default=None, gt=0)
    ema_decay: float | None = Field(default=None, gt=0, lt=1)


class EngineConfig(Frozen):
    """Length, batches, numeric precision and the rule that chooses the epoch."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(default=16, ge=2)
    """Stimuli in one forward pass, over all processes together."""
    drop_last: bool = False
    """Leave out the last batch of an epoch where it is not full, for losses and layers of a fixed batch."""
    accumulate: int = Field(default=1, ge=1)
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = Field(default=1, ge=1)
    workers: int = Field(default=0, ge=0)
    selection: Literal["last", "validation"] = "last"
    patience: int | None = Field(default=None, ge=1)
    """Epochs without a better validation SROCC after which training stops."""
    report_test_max: bool = False
    """Also evaluate the test part after each epoch and report the largest SROCC as `test_max_srocc`. Never used to
    select.
    """

    @model_validator(mode="after")
    def _check_patience(self) -> "EngineConfig":
        if self.patience is not None and self.selection != "validation":
            raise ValueError("engine.patience needs engine.selection = 'validation'")
        return self


class RunConfig(Frozen):
    """Everything that determines a run. Written resolved into the run folder and accepted as input again."""

    recipes: ClassVar[str]
    """The package whose TOML files are the recipes of the modality."""
    modality: str
    recipe: str = ""
    seed: int = Field(default=0, ge=0)
    data: DataConfig
    model: ModelConfig
    input: Any
    objective: ObjectiveConfig
    optim: OptimConfig = OptimConfig()
    engine: EngineConfig

    @property
    def evaluation_batch_size(self) -> int:
        """Stimuli that are scored at once."""
        return self.engine.batch_size
