"""The numbers that stand beside a reference and a distorted file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rankqa_cli.modalities import read_run
from rankqa_datasets.errors import InputError
from shared_engine.names import UsageProblem, resolve


@dataclass(frozen=True)
class ComparisonScore:
    """A number of the distorted file; higher is better.

    Attributes:
        name: the metric, or the model.
        score: its number.
        of_reference: that of the reference, from a model that judges files alone.
        values: all numbers of the metric by name, in its own direction and unit.
    """

    name: str
    score: float
    of_reference: float | None = None
    values: Mapping[str, Any] | None = None


def run_score(run: Path, modality: str, reference: Path, distorted: Path) -> ComparisonScore:
    """What the model in folder `run` says of the distorted file.

    Raises:
        UsageProblem: a model of another modality.
        InputError: not a run, or a file that it cannot score.
    """
    from rankqa_cli.scoring import FileScorer

    kind, config = read_run(run)
    if kind.name != modality:
        raise UsageProblem(f"{run} holds a model of modality {kind.name!r}: expected one of {modality!r}")
    compares = bool(getattr(resolve("model", config.model.name, kind.models), "full_reference", False))
    scorer = FileScorer(run, kind, config, reference if compares else None)
    files = [distorted] if compares else [distorted, reference]
    scores: list[float] = []
    for _, value in scorer.scores(files):
        if isinstance(value, InputError):
            raise value
        scores.append(value)
    return ComparisonScore(f"{config.model.name} ({run.name})", scores[0], None if compares else scores[1])
