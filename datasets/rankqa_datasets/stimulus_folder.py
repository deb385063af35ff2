"""The stimuli below a folder, each with the name of its content."""

from collections import Counter
from pathlib import Path

from rankqa_datasets.errors import InputError


def find_stimuli(folder: Path, suffixes: tuple[str, ...], *, what: str, limit: int | None = None) -> dict[str, Path]:
    """Content -> file, in the order of the names, for the first `limit` files in a folder and its subfolders.

    The content is the path from `folder` on, without its ending unless another file has the same name but for that.
    Hidden files and folders are passed over.

    Args:
        folder: where to look.
        suffixes: endings in lower case, with the dot.
        what: how messages call the files, in the plural.
        limit: all by default.

    Raises:
        InputError: no such folder, no such file in it, or a file name that is not text.
    """
    if not folder.is_dir():
        raise InputError(f"expected a folder of {what}, got {folder}, which is none")
    names = sorted(
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.suffix.lower() in suffixes and not _hidden(path.relative_to(folder)) and path.is_file()
    )
    if not names:
        raise InputError(f"no file with ending {', '.join(suffixes)} below {folder}")
    twins = Counter(name.with_suffix("").as_posix().lower() for name in names)
    found: dict[str, Path] = {}
    for name in names[:limit]:
        bare = name.with_suffix("").as_posix()
        content = bare if twins[bare.lower()] == 1 else name.as_posix()
        if not content.isprintable():
            raise InputError(f"expected printable characters in file names, got {str(folder / name)!r}: rename it")
        if content in found:
            raise InputError(f"{found[content]} and {folder / name} would have one name: rename one of them")
        found[content] = folder / name
    return found


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
