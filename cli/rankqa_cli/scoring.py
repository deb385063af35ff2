"""Applying a trained run to files."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from rankqa_datasets.cache import NoCache
from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import Stimulus
from shared_engine.config import RunConfig
from shared_engine.memory import keep_freed_memory
from shared_engine.modality import Modality, is_full_reference, read_stimulus
from shared_engine.names import UsageProblem
from shared_engine.predict import predict
from shared_engine.stimuli import model_input
from shared_engine.train import launch, load_run


class FileScorer:
    """The model of a run, applied to files."""

    def __init__(self, run: Path, modality: Modality, config: RunConfig, reference: Path | None = None) -> None:
        """The model of `run`, and the file that a full-reference model compares with.

        Raises:
            UsageProblem: the model compares with a reference and none is given, or the other way round.
        """
        keep_freed_memory()
        # Convolutions on a CPU run up to twice as fast with the channels of a pixel side by side.
        self.model = load_run(run, modality, config).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.full_reference = is_full_reference(self.model)
        if self.full_reference and reference is None:
            raise UsageProblem(f"the model of {run} compares with a pristine file: add --reference FILE")
        if reference is not None and not self.full_reference:
            raise UsageProblem(f"the model of {run} judges without a reference: leave --reference out")
        self.reference = reference
        self.reader = modality.reader(config, NoCache())

    def scores(self, files: Sequence[Path]) -> Iterator[tuple[Path, float | InputError]]:
        """The score of each file in turn, higher is better; the error in place of it where there is none.

        Every core reads and scores files of its own: on a CPU that is faster than all cores on one file.
        """
        cores, before = os.cpu_count() or 1, torch.get_num_threads()
        coming, waiting = iter(files), deque[tuple[Path, Future[float | InputError]]]()
        try:
            with ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                while True:
                    for file in islice(coming, 4 * cores - len(waiting)):
                        waiting.append((file, pool.submit(self._score, file)))
                    if not waiting:
                        return
                    file, scoring = waiting.popleft()
                    yield file, scoring.result()
        finally:
            torch.set_num_threads(before)

    @torch.inference_mode()
    def _score(self, file: Path) -> float | InputError:
        try:
            tensors = read_stimulus(self.reader, file, self.reference, None, full_reference=self.full_reference)
            batch = model_input({name: tensor.unsqueeze(0) for name, tensor in tensors.items()})
            score = self.model(batch)["scores"].item()
        except InputError as error:
            return error
        return score if np.isfinite(score) else InputError(f"the model gives {file} a score that is not finite")


def score_stimuli(run: Path, modality: Modality, config: RunConfig, stimuli: Sequence[Stimulus]) -> np.ndarray:
    """Scores (N,) of a manifest's stimuli, on the device that the run's configuration asks for."""
    fabric = launch(config.engine.model_copy(update={"devices": 1}))
    model = load_run(run, modality, config).to(fabric.device)
    return predict(model, stimuli, modality.reader(config, NoCache()), fabric, batch_size=config.evaluation_batch_size)
