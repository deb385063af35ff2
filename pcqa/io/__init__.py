"""Reading and writing cloud files."""

from pathlib import Path

from pcqa.cloud import Cloud
from pcqa.io.las import read_las
from pcqa.io.mesh import sample_mesh
from pcqa.io.pcd import read_pcd
from pcqa.io.ply import read_ply, write_ply
from pcqa.io.xyz import read_xyz
from rankqa_datasets.errors import InputError

__all__ = [
    "FOLDER_SUFFIXES",
    "READERS",
    "read_cloud",
    "read_las",
    "read_pcd",
    "read_ply",
    "read_xyz",
    "sample_mesh",
    "write_ply",
]

READERS = {
    ".ply": read_ply,
    ".pcd": read_pcd,
    ".xyz": read_xyz,
    ".xyzn": read_xyz,
    ".xyzrgb": read_xyz,
    ".txt": read_xyz,
    ".obj": sample_mesh,
    ".glb": sample_mesh,
    ".stl": sample_mesh,
    ".las": read_las,
    ".laz": read_las,
}
"""File suffix in lower case -> function(path) -> Cloud."""

FOLDER_SUFFIXES = tuple(suffix for suffix in READERS if suffix != ".txt")
"""Suffixes by which a folder is searched for clouds: a text file in a folder is rather a note than a cloud."""


def read_cloud(path: str | Path) -> Cloud:
    """Reads a cloud file; the format is chosen by the suffix.

    A mesh (`.obj`, `.glb`, `.stl`) is sampled with the defaults of `sample_mesh`; of a PLY mesh the vertices are read.

    Raises:
        InputError: an unknown suffix, or a file that its reader refuses.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in READERS:
        known = ", ".join(READERS)
        raise InputError(f"{path}: expected a cloud file ({known}), got suffix {suffix!r}")
    return READERS[suffix](path)
