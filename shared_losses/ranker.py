"""A small network, trained once, that maps sixteen numbers to their ranks: the frozen ranker of the ASNA loss."""

from __future__ import annotations

import functools
from pathlib import Path

import torch
from torch import Tensor, nn

from shared_losses.safetensors_file import read_safetensors

LENGTH = 16
LAYERS = ((8, 2, False), (16, 3, True), (32, 5, True), (64, 7, True), (96, 10, False), (128, 7, True), (256, 7, True))
WEIGHTS = Path(__file__).parent / "weights" / "asna_ranker.safetensors"


class Ranker(nn.Module):
    """Seven 1-D convolutions over the sequence and a linear layer: R^16 -> R^16, 470,872 trained parameters.

    Channels and kernel sizes are those of the ASNA program (smehdia/NTIRE2021-IQA-MACS, ranking_model/train.py), batch
    normalisation after every convolution but the first and the fifth, then a PReLU with one slope a position and
    channel, as in Keras. Outputs are ascending ranks, about 1 for the lowest number and 16 for the highest.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for width, kernel, normalised in LAYERS:
            # "Same" padding of TensorFlow: of an odd number of zeros the extra one goes to the right.
            layers += [nn.ZeroPad1d(((kernel - 1) // 2, kernel // 2)), nn.Conv1d(channels, width, kernel)]
            if normalised:
                layers.append(nn.BatchNorm1d(width, eps=1e-3, momentum=0.01))  # Keras' defaults
            layers.append(_PositionPReLU(width))
            channels = width
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * LENGTH, LENGTH))

    def forward(self, values: Tensor) -> Tensor:
        """Ranks each row of `values`, shape (B, 16); returns (B, 16)."""
        return self.layers(values[:, None])


class _PositionPReLU(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.zeros(channels, LENGTH))

    def forward(self, values: Tensor) -> Tensor:
        return values.clamp(min=0) + self.slope * values.clamp(max=0)


@functools.cache
def frozen_ranker(device: torch.device) -> Ranker:
    """Returns the shipped ranker on `device`, in float64, in evaluation mode and without gradients to its weights.

    Raises:
        ValueError: If the weight file is damaged or belongs to another network.
    """
    ranker = Ranker()
    weights = read_safetensors(WEIGHTS)
    state = {name: value for name, value in ranker.state_dict().items() if not name.endswith("num_batches_tracked")}
    found, expected = {n: tuple(v.shape) for n, v in weights.items()}, {n: tuple(v.shape) for n, v in state.items()}
    if found != expected:
        wrong = sorted(name for name in found | expected if found.get(name) != expected.get(name))
        raise ValueError(f"{WEIGHTS} does not hold the ranker's weights; these differ: {', '.join(wrong)}")
    ranker.load_state_dict(weights, strict=False)
    return ranker.double().eval().requires_grad_(False).to(device)
