"""Scores of a set of stimuli under the fixed crops of evaluation."""

from collections.abc import Sequence

import numpy as np
import torch
from lightning_fabric import Fabric  # noqa: TID253 -- nothing light imports this file
from numpy.typing import NDArray
from torch import nn

from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import Stimulus
from shared_engine.modality import Reader, is_full_reference
from shared_engine.stimuli import StimulusDataset, evaluation_loader, model_input, read_ahead
from shared_losses.distributed import gather_rows


@torch.no_grad()
def predict(
    model: nn.Module, stimuli: Sequence[Stimulus], reader: Reader, fabric: Fabric, *, batch_size: int, workers: int = 0
) -> NDArray[np.float64]:
    """Scores (N,) in the order of the stimuli, the same on every process; the model is left in the mode it was in.

    Raises:
        InputError: a score is not finite.
    """
    was_training = model.training
    model.eval()
    if getattr(reader, "varying_shapes", False):
        batch_size = 1
    loader = evaluation_loader(
        StimulusDataset(stimuli, reader, full_reference=is_full_reference(model)),
        batch_size,
        workers,
        rank=fabric.global_rank,
        world_size=fabric.world_size,
    )
    scores, rows = [torch.empty(0, device=fabric.device)], [torch.empty(0, dtype=torch.int64, device=fabric.device)]
    for batch in read_ahead(loader, fabric.device):
        batch = model_input(fabric.to_device(batch))
        scores.append(model(batch)["scores"].float())
        rows.append(batch["rows"])
    model.train(was_training)
    own = torch.cat(scores)
    gathered = gather_rows(own, torch.zeros_like(own), ids=torch.cat(rows))
    assert gathered.ids is not None
    ordered = np.empty(len(stimuli))
    ordered[gathered.ids.cpu().numpy()] = gathered.scores.double().cpu().numpy()
    if not np.isfinite(ordered).all():
        bad = stimuli[int(np.flatnonzero(~np.isfinite(ordered))[0])]
        raise InputError(f"the model gives {bad.path} a score that is not finite")
    return ordered
