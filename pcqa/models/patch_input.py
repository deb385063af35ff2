"""What the point networks read from a batch of patches."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class PatchInput:
    """Patches of all clouds laid one after the other."""

    points: Tensor  # (B * K, P, 3)
    features: Tensor  # (B * K, P, 3) colours in [-1, 1], or no channel at all
    batch_size: int
    num_patches: int


def read_patches(batch: dict[str, Tensor], *, use_colors: bool) -> PatchInput:
    """Check and flatten `points` and, where used, `colors` of a batch, each (B, K, P, 3).

    Raises:
        ValueError: the batch lacks them, or their shapes are others.
    """
    wanted = ("points", "colors") if use_colors else ("points",)
    missing = [name for name in wanted if name not in batch]
    if missing:
        raise ValueError(f"a point network needs {', '.join(wanted)} in the batch, got {', '.join(batch)}")
    points = batch["points"]
    for name in wanted:
        if batch[name].dim() != 4 or batch[name].shape != (*points.shape[:3], 3):
            raise ValueError(f"{name} must be (B, K, P, 3), got {tuple(batch[name].shape)}")
    features = 2 * batch["colors"] - 1 if use_colors else points[..., :0]
    return PatchInput(points.flatten(0, 1), features.flatten(0, 1), points.shape[0], points.shape[1])
