"""The photographs below a folder, each with the name of its content."""

from collections import Counter
from pathlib import Path

from rankqa_datasets.errors import InputError

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def find_photos(folder: Path, limit: int | None = None) -> dict[str, Path]:
    """Content -> file, in the order of the names, for the first `limit` image files in a folder and its subfolders.

    The content is the path from `folder` on, without its ending unless another file has the same name but for that.
    Hidden files and folders are passed over.

    Raises:
        InputError: no such folder, no image file in it, or a file name that is not text.
    """
    if not folder.is_dir():
        raise InputError(f"expected a folder of photographs, got {folder}, which is none")
    names = sorted(
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not _hidden(path.relative_to(folder)) and path.is_file()
    )
    if not names:
        raise InputError(f"no file with ending {', '.join(SUFFIXES)} below {folder}")
    twins = Counter(name.with_suffix("").as_posix().lower() for name in names)
    photos: dict[str, Path] = {}
    for name in names[:limit]:
        bare = name.with_suffix("").as_posix()
        content = bare if twins[bare.lower()] == 1 else name.as_posix()
        if not content.isprintable():
            raise InputError(f"expected printable characters in file names, got {str(folder / name)!r}: rename it")
        if content in photos:
            raise InputError(f"{photos[content]} and {folder / name} would have one name: rename one of them")
        photos[content] = folder / name
    return photos


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
