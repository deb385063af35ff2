"""Applying a trained run to files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from rankqa_datasets.cache import NoCache
from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import Stimulus
from shared_engine.config import RunConfig
from shared_engine.modality import Modality, is_full_reference, read_stimulus
from shared_engine.names import UsageProblem
from shared_engine.predict import predict
from shared_engine.train import launch, load_run


class FileScorer:
    """The model of a run as a function of a file."""

    def __init__(self, run: Path, modality: Modality, config: RunConfig, reference: Path | None = None) -> None:
        """The model of `run`, and the file that a full-reference model compares with.

        Raises:
            UsageProblem: the model compares with a reference and none is given, or the other way round.
        """
        self.model = load_run(run, modality, config)
        self.full_reference = is_full_reference(self.model)
        if self.full_reference and reference is None:
            raise UsageProblem(f"the model of {run} compares with a pristine file: add --reference FILE")
        if reference is not None and not self.full_reference:
            raise UsageProblem(f"the model of {run} judges without a reference: leave --reference out")
        self.reference = reference
        self.reader = modality.reader(config, NoCache())

    @torch.no_grad()
    def __call__(self, path: Path) -> float:
        """The score of one file, higher is better.

        Raises:
            InputError: the file cannot be read, or the score is not finite.
        """
        tensors = read_stimulus(self.reader, path, self.reference, None, full_reference=self.full_reference)
        batch = {name: tensor.unsqueeze(0) for name, tensor in tensors.items()}
        value = float(self.model(batch)["scores"][0])
        if not np.isfinite(value):
            raise InputError(f"the model gives {path} a score that is not finite")
        return value


def score_stimuli(run: Path, modality: Modality, config: RunConfig, stimuli: Sequence[Stimulus]) -> np.ndarray:
    """Scores (N,) of a manifest's stimuli, on the device that the run's configuration asks for."""
    fabric = launch(config.engine.model_copy(update={"devices": 1}))
    model = load_run(run, modality, config).to(fabric.device)
    return predict(model, stimuli, modality.reader(config, NoCache()), fabric, batch_size=config.engine.batch_size)
