"""Reading and writing cloud files."""

from pathlib import Path

from pcqa.cloud import Cloud
from pcqa.io.ply import read_ply, write_ply
from rankqa_datasets.errors import InputError

__all__ = ["READERS", "read_cloud", "read_ply", "write_ply"]

READERS = {".ply": read_ply}
"""File suffix in lower case -> function(path) -> Cloud."""


def read_cloud(path: str | Path) -> Cloud:
    """Reads a cloud file; the format is chosen by the suffix.

    Raises:
        InputError: an unknown suffix, or a file that its reader refuses.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in READERS:
        known = ", ".join(READERS)
        raise InputError(f"{path}: expected a cloud file ({known}), got suffix {suffix!r}")
    return READERS[suffix](path)
