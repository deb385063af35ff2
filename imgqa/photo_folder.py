"""The photographs below a folder, each with the name of its content."""

from pathlib import Path

from rankqa_datasets.stimulus_folder import find_stimuli

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def find_photos(folder: Path, limit: int | None = None) -> dict[str, Path]:
    """Content -> file, as `find_stimuli` has it, for the first `limit` image files."""
    return find_stimuli(folder, SUFFIXES, what="photographs", limit=limit)
