"""Applying a trained run to files."""

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
from shared_engine.modality import Modality, is_full_reference, read_stimulus
from shared_engine.names import UsageProblem
from shared_engine.predict import predict
from shared_engine.stimuli import Batch
from shared_engine.train import launch, load_run

_BATCH = 8
_READ_AHEAD = 4 * _BATCH


class FileScorer:
    """The model of a run, applied to files."""

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

    def scores(self, files: Sequence[Path]) -> Iterator[tuple[Path, float | InputError]]:
        """The score of each file in turn, higher is better; the error in place of it where there is none.

        Files are read by threads while the model scores earlier ones, in batches of equal shape. But for rounding, a
        score does not depend on its neighbours.
        """
        with ThreadPoolExecutor() as pool:
            waiting: deque[tuple[Path, Future[Batch | InputError]]] = deque()
            coming = iter(files)
            batch: list[tuple[Path, Batch]] = []
            while True:
                for file in islice(coming, max(0, _READ_AHEAD - len(waiting))):
                    waiting.append((file, pool.submit(self._read, file)))
                if not waiting:
                    break
                file, reading = waiting.popleft()
                read = reading.result()
                if batch and (isinstance(read, InputError) or len(batch) == _BATCH or not _alike(read, batch[0][1])):
                    yield from self._score(batch)
                    batch = []
                if isinstance(read, InputError):
                    yield file, read
                else:
                    batch.append((file, read))
            yield from self._score(batch)

    def _read(self, file: Path) -> Batch | InputError:
        try:
            return read_stimulus(self.reader, file, self.reference, None, full_reference=self.full_reference)
        except InputError as error:
            return error

    @torch.no_grad()
    def _score(self, batch: list[tuple[Path, Batch]]) -> Iterator[tuple[Path, float | InputError]]:
        if not batch:
            return
        tensors = {name: torch.stack([read[name] for _, read in batch]) for name in batch[0][1]}
        for (file, _), score in zip(batch, self.model(tensors)["scores"].tolist(), strict=True):
            bad = InputError(f"the model gives {file} a score that is not finite")
            yield file, score if np.isfinite(score) else bad


def _alike(one: Batch, other: Batch) -> bool:
    return all(tensor.shape == other[name].shape for name, tensor in one.items())


def score_stimuli(run: Path, modality: Modality, config: RunConfig, stimuli: Sequence[Stimulus]) -> np.ndarray:
    """Scores (N,) of a manifest's stimuli, on the device that the run's configuration asks for."""
    fabric = launch(config.engine.model_copy(update={"devices": 1}))
    model = load_run(run, modality, config).to(fabric.device)
    return predict(model, stimuli, modality.reader(config, NoCache()), fabric, batch_size=config.engine.batch_size)
