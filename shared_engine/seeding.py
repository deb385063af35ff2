"""Every random number of a run is a function of (seed, purpose, epoch, row), so an interrupted run has nothing to
restore.
"""

import hashlib

import torch


def derive_seed(*parts: int | str) -> int:
    """A 63-bit seed from any mix of numbers and words; equal on every machine and independent of call order."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def seed_torch(*parts: int | str) -> None:
    """Seed torch's global generators (weight initialisation, dropout) from `parts`."""
    torch.manual_seed(derive_seed(*parts))
