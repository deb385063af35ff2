"""What an epoch's own scores say about training."""

import numpy as np
import torch
from torch import Tensor

from shared_engine.criteria import srocc
from shared_engine.evaluation import mean_within
from shared_engine.parts import Parts


class Seen:
    """Scores of the training stimuli as they came by in an epoch, from weights that moved in between."""

    def __init__(self) -> None:
        self.rows: list[Tensor] = []
        self.scores: list[Tensor] = []

    def add(self, rows: Tensor, scores: Tensor) -> None:
        """Rows (B,) of the training part and their scores (B,)."""
        self.rows.append(rows)
        self.scores.append(scores.detach())

    def summary(self, parts: Parts) -> dict[str, float | None]:
        """For the log: `train_srocc`, exact SROCC of these scores (within a database, averaged over databases), to hold
        against the soft one that the loss saw; `score_mean` and `score_std`, whose drift a rank loss does not feel.

        With several processes those of the first one's share.
        """
        scores = torch.cat(self.scores).double().cpu().numpy()
        stimuli = [parts.train[row] for row in torch.cat(self.rows).tolist()]
        return {
            "train_srocc": mean_within(srocc, stimuli, scores),
            "score_mean": float(np.mean(scores)),
            "score_std": float(np.std(scores)),
        }
