"""Reads the patches of a cloud, with neighbour tables where the model wants them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pcqa.config import PatchInput
from pcqa.io import read_cloud
from pcqa.models.grouping import Grouping, group_points
from pcqa.patches import make_patches
from rankqa_datasets.cache import ArrayCache
from rankqa_datasets.errors import InputError

# The cut belongs to the stimulus, not to the run: with one seed for all, runs share the cache and evaluation is fixed.
PATCH_SEED = 0


@dataclass(frozen=True)
class PatchReader:
    """Cuts the patches of a cloud once and caches them; each call takes some of them.

    Clouds without colours read as mid-grey (0.5).

    Attributes:
        options: sizes and counts.
        cache: where the patches are kept.
        groupings: levels whose centres and neighbours are precomputed; empty for none.
    """

    options: PatchInput
    cache: ArrayCache
    groupings: tuple[Grouping, ...] = ()

    def __call__(self, path: Path, generator: torch.Generator | None) -> dict[str, Tensor]:
        """Patches of one cloud.

        Returns:
            `points` (K, P, 3) in the unit sphere, `colors` (K, P, 3) in [0, 1], `scales` (K,) and, with groupings,
            `centers_i` and `neighbors_i_s` (see `group_points`). Without a generator the first `evaluate` patches; with
            one, `train` patches drawn at random, each turned at random.

        Raises:
            InputError: unreadable file, or a cloud of fewer points than a patch.
        """
        stored = self.cache.fetch(path, self._recipe(), lambda: self._cut(path))
        if generator is None:
            chosen = torch.arange(self.options.evaluate)
        else:
            chosen = torch.randperm(self.options.saved, generator=generator)[: self.options.train]
        # Indexing copies the few chosen patches out of the read-only memory map.
        picked = {name: torch.from_numpy(array[chosen.numpy()]) for name, array in stored.items()}
        picked["colors"] = picked["colors"].float() / 255
        for name in picked:
            if name.startswith(("centers_", "neighbors_")):
                picked[name] = picked[name].long()
        if generator is not None:
            turns = random_rotations(len(chosen), axis=self.options.rotation, generator=generator)
            picked["points"] = picked["points"] @ turns.transpose(1, 2)
        return picked

    def _recipe(self) -> str:
        options = self.options
        return f"patches 1 size={options.size} saved={options.saved} seed={PATCH_SEED} groupings={self.groupings}"

    def _cut(self, path: Path) -> dict[str, np.ndarray]:
        cloud = read_cloud(path)
        if cloud.num_points < self.options.size:
            raise InputError(
                f"{path} has {cloud.num_points} points, a patch needs {self.options.size}: lower input.patches.size"
            )
        patches = make_patches(cloud, count=self.options.saved, size=self.options.size, seed=PATCH_SEED)
        # Patches come nearest point first, and a full ball keeps the first points: unshuffled, each group would lean
        # towards the middle of its patch.
        order = np.random.default_rng(PATCH_SEED).permutation(self.options.size)
        points = patches.points[:, order]
        arrays = {
            "points": points,
            "colors": np.rint(patches.colors[:, order] * 255).astype(np.uint8),
            "scales": patches.scales,
        }
        if self.groupings:
            tables = group_points(torch.from_numpy(points), self.groupings)
            arrays |= {name: table.numpy().astype(np.int16) for name, table in tables.items()}
        return arrays


def random_rotations(count: int, *, axis: str, generator: torch.Generator) -> Float[Tensor, "n 3 3"]:
    """Rotation matrices: the identity (`none`), a uniform angle about `x`, `y` or `z`, or uniform over all (`any`)."""
    if axis == "none":
        return torch.eye(3).expand(count, 3, 3)
    if axis == "any":
        quaternion = torch.randn(count, 4, generator=generator)
    else:
        half = torch.rand(count, generator=generator) * torch.pi
        quaternion = torch.zeros(count, 4)
        quaternion[:, 0] = half.cos()
        quaternion[:, 1 + "xyz".index(axis)] = half.sin()
    w, x, y, z = torch.nn.functional.normalize(quaternion, dim=1).unbind(dim=1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, dim=1).view(count, 3, 3)
