"""Photographs with their distortions, and piq, for the metrics."""

import io
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter


@pytest.fixture(scope="session")
def photo_pairs(shared_dir: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Four photographs (4, 3, 512, 768) with a coarse JPEG, blur, noise and another contrast, float32 in [0, 1]."""
    names = ["01", "02", "03", "05"]
    references = [Image.open(shared_dir / f"data/photos/{name}.png").convert("RGB") for name in names]
    coarse = io.BytesIO()
    references[0].save(coarse, "JPEG", quality=12)
    noise = np.random.default_rng(0).normal(0, 20, (512, 768, 3))
    noisy = Image.fromarray(np.clip(np.asarray(references[2]) + noise, 0, 255).astype(np.uint8))
    washed_out = references[3].point(lambda value: 0.6 * value + 70)
    distorted = [Image.open(coarse), references[1].filter(ImageFilter.GaussianBlur(2)), noisy, washed_out]
    return stack(distorted), stack(references)


@pytest.fixture(scope="session")
def piq() -> ModuleType:
    """The metrics of piq, which imports torchvision."""
    # Repairs a CPU torch beside a CUDA torchvision.
    from shared_engine.timm_import import import_timm

    import_timm()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks of its own imports
        return pytest.importorskip("piq")


def stack(images: list[Image.Image]) -> torch.Tensor:
    arrays = np.stack([np.asarray(image) for image in images])
    return torch.from_numpy(arrays).permute(0, 3, 1, 2).float().div(255).contiguous()
