"""What the point networks read from a batch of patches."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PatchInput:
    """Patches of all clouds laid one after the other."""

    points: Tensor  # (B * K, P, 3)
    colors: Tensor  # (B * K, P, 3) colours in [-1, 1], or no channel at all
    scales: Tensor | None  # (B * K,) radius of a patch relative to its cloud
    batch_size: int
    num_patches: int

    def log_scales(self) -> Tensor:
        """Natural logarithm of the scales, (B * K, 1). A patch of equal points has scale 0, which counts as 1e-6."""
        if self.scales is None:
            raise ValueError("the patches were read without their scales")
        return torch.log(self.scales.clamp_min(1e-6))[:, None]


def read_patches(batch: dict[str, Tensor], *, use_colors: bool, use_scales: bool) -> PatchInput:
    """Check and flatten `points` and, where used, `colors`, each (B, K, P, 3), and `scales` (B, K) of a batch.

    Raises:
        ValueError: the batch lacks them, or their shapes are others.
    """
    wanted = ["points"] + ["colors"] * use_colors + ["scales"] * use_scales
    missing = [name for name in wanted if name not in batch]
    if missing:
        raise ValueError(f"a point network needs {', '.join(wanted)} in the batch, got {', '.join(batch)}")
    points = batch["points"]
    for name in wanted[: 1 + use_colors]:
        if batch[name].dim() != 4 or batch[name].shape != (*points.shape[:3], 3):
            raise ValueError(f"{name} must be (B, K, P, 3), got {tuple(batch[name].shape)}")
    colors = 2 * batch["colors"] - 1 if use_colors else points[..., :0]
    scales = batch["scales"].flatten() if use_scales else None
    return PatchInput(points.flatten(0, 1), colors.flatten(0, 1), scales, points.shape[0], points.shape[1])
