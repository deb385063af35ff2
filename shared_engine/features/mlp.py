"""A small network on a row of features."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

MIN_STD = 1e-3  # of a predicted spread, so that its logarithm stays finite


class FeatureMLP(nn.Module):
    """Hidden layers (linear, layer normalisation, GELU, dropout) and a linear head on standardised features.

    Means and standard deviations are those of the training part; they belong to the state, and a model scores raw
    features ever after. A feature that is constant in training is ignored.
    """

    mean: Tensor
    inverse_std: Tensor

    def __init__(
        self,
        *,
        features: int,
        hidden: Sequence[int] = (64, 32),
        dropout: float = 0.1,
        head: Literal["score", "normal", "levels"] = "score",
        levels: int = 10,
    ) -> None:
        """Build the network; a run fills in `features` from its table.

        Args:
            features: columns of the table.
            hidden: widths of the hidden layers; none leaves a linear model.
            dropout: share of the outputs of each hidden layer dropped in training, in [0, 1).
            head: what is predicted: a score; a score and the standard deviation of a normal distribution about it
                ("normal", for losses that take `score_std`); or probabilities of levels, whose mean is the score
                ("levels", for losses of distributions).
            levels: number of levels, with the scores 1, 2, ...
        """
        super().__init__()
        if features < 1 or levels < 2 or any(width < 1 for width in hidden):
            raise ValueError(f"expected positive widths and 2 levels or more, got {features}, {list(hidden)}, {levels}")
        if not 0 <= dropout < 1:
            raise ValueError(f"expected dropout in [0, 1), got {dropout}")
        outputs = {"score": 1, "normal": 2, "levels": levels}
        if head not in outputs:
            raise ValueError(f"expected head 'score', 'normal' or 'levels', got {head!r}")
        self.head = head
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("inverse_std", torch.ones(features))
        layers: list[nn.Module] = []
        widths = [features, *hidden]
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.LayerNorm(after), nn.GELU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], outputs[head]))

    def fit_inputs(self, stimuli: Iterable[dict[str, Tensor]]) -> None:
        """Take mean and standard deviation from the `features` (F,) of each training stimulus."""
        rows = torch.stack([stimulus["features"] for stimulus in stimuli]).double()
        mean, std = rows.mean(dim=0), rows.std(dim=0, correction=0)
        # What rounding to float32 alone makes of a constant.
        varies = std > 1e-6 * mean.abs().clamp_min(torch.finfo(torch.float32).tiny)
        self.mean.copy_(mean)
        self.inverse_std.copy_(torch.where(varies, 1 / std.clamp_min(torch.finfo(torch.float32).tiny), 0.0))

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score `features` (B, F).

        Returns:
            `scores` (B,), higher is better; with the head "normal" also `score_std` (B,), with "levels"
            `score_distribution` (B, levels).
        """
        outputs = self.layers((batch["features"] - self.mean) * self.inverse_std).float()
        if self.head == "score":
            return {"scores": outputs[:, 0]}
        if self.head == "normal":
            return {"scores": outputs[:, 0], "score_std": softplus(outputs[:, 1]) + MIN_STD}
        shares = outputs.softmax(dim=1)
        values = torch.arange(1, shares.shape[1] + 1, dtype=shares.dtype, device=shares.device)
        return {"scores": shares @ values, "score_distribution": shares}
