"""What a result depends on besides its configuration: versions, machine and the state of the source."""

import os
import platform
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

PACKAGES = (
    "rankqa",
    "torch",
    "torchvision",
    "torch-geometric",
    "timm",
    "lightning-fabric",
    "numpy",
    "scipy",
    "pillow",
    "open3d",
    "trimesh",
)


def describe_environment(device: torch.device) -> dict[str, Any]:
    """Versions, decoder, processor, threads and git state, as written into environment.json."""
    from PIL import features

    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        # Decoders differ by grey levels between versions, and quality lives in such detail.
        "libjpeg_turbo": features.version_feature("libjpeg_turbo"),
        "processor_cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "device": str(device),
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "source": _git_state(),
    }


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, in MB (10^6 bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git_state() -> dict[str, Any] | None:
    """Commit and cleanliness of the checkout that this code runs from; None for an installed package."""
    folder = Path(__file__).resolve().parent
    try:
        commit = subprocess.run(
            ["git", "-C", folder, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
        changes = subprocess.run(
            ["git", "-C", folder, "status", "--porcelain", "."], capture_output=True, text=True, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "modified": bool(changes.strip())}
