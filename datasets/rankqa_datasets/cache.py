"""The decode cache: what was computed once from a file lies on the disk as memory maps."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rankqa_datasets.errors import InputError
from rankqa_datasets.file_hash import FileHashes

INDEX = "entry.json"
MAGIC = b"\x93NUMPY"  # the beginning of every .npy file
ABANDONED_AFTER_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Layout:
    """Where the numbers of a `.npy` file lie.

    Kept in the index of an entry: NumPy parses headers with `ast`, which costs more than the pixels of a crop, and
    which Python 3.11 gets wrong now and then in several threads at once.
    """

    file: str
    size: int
    offset: int
    dtype: np.dtype
    shape: tuple[int, ...]
    order: Literal["C", "F"]

    @classmethod
    def read(cls, file: Path, described: dict[str, Any]) -> "Layout":
        """From the index."""
        size, offset = int(described["size"]), int(described["offset"])
        return cls(str(file), size, offset, np.dtype(described["dtype"]), tuple(described["shape"]), described["order"])

    @staticmethod
    def describe(file: Path, array: np.ndarray) -> dict[str, Any]:
        """What the index says of an array that was saved to `file`."""
        size = file.stat().st_size
        order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"  # as NumPy saves it
        return {
            "size": size,
            "offset": size - array.nbytes,
            "dtype": array.dtype.str,
            "shape": array.shape,
            "order": order,
        }

    @property
    def is_whole(self) -> bool:
        """Whether the file is still there and as long as it was."""
        try:
            return os.stat(self.file).st_size == self.size  # noqa: PTH116 -- a Path costs as much as the call
        except OSError:
            return False

    @property
    def begins_well(self) -> bool:
        """Whether the file is a `.npy` file."""
        with open(self.file, "rb") as file:  # noqa: PTH123 -- as above
            return file.read(len(MAGIC)) == MAGIC

    def map(self) -> np.ndarray:
        """The array, read-only."""
        return np.memmap(self.file, self.dtype, "r", self.offset, self.shape, self.order)


class ArrayCache:
    """Arrays computed from files, keyed by the bytes of the file and by the recipe that made them.

    An entry is a folder `ab/abcd...` with one `.npy` an array. It is written elsewhere and renamed into place, so any
    number of processes may share the cache and be killed at any moment; a damaged entry is built again. Entries are
    not flushed to the disk one by one, which would cost more than decoding: what a power failure cuts short is
    recognised by its size.
    """

    def __init__(self, folder: str | Path) -> None:
        """Name the folder; it is made at the first write, so that a finished cache may be read-only."""
        self.folder = Path(folder)
        self._hashes = FileHashes()
        self._layouts: dict[Path, dict[str, Layout]] = {}
        self._swept = False

    def fetch(self, source: Path, recipe: str, build: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """The arrays of `build()`, from the disk if they were ever built for these bytes and this recipe.

        Args:
            source: the file that the arrays depend on.
            recipe: everything else that they depend on, in words and numbers; change it when `build` changes.
            build: computes the arrays by name; names must be identifiers. Called only if they are not there yet.

        Returns:
            Read-only memory maps. Each holds an open file, so drop them when done rather than keeping thousands.

        Raises:
            InputError: `source` cannot be read, or the cache cannot be written (disk full).
        """
        entry = self._entry(source, recipe)
        arrays = self._load(entry)
        if arrays is None:
            self._write(entry, build(), {"source": str(source), "recipe": recipe})
            arrays = self._load(entry)
        if arrays is None:
            raise InputError(f"cache {self.folder}: an entry just written cannot be read back; check the disk")
        return arrays

    def _load(self, entry: Path) -> dict[str, np.ndarray] | None:
        """The arrays of an entry, whose index is read at the first time only; None if it is not there or not whole."""
        layouts = self._layouts.get(entry) or _read_index(entry)
        if layouts is None or not all(layout.is_whole for layout in layouts.values()):
            self._layouts.pop(entry, None)
            return None
        self._layouts[entry] = layouts
        return {name: layout.map() for name, layout in layouts.items()}

    def _entry(self, source: Path, recipe: str) -> Path:
        try:
            content = self._hashes.sha256(source)
        except OSError as error:
            raise InputError(f"cannot read {source}: {error.strerror}") from error
        key = hashlib.sha256(f"{content}\n{recipe}".encode()).hexdigest()
        return self.folder / key[:2] / key

    def _write(self, entry: Path, arrays: dict[str, np.ndarray], origin: dict[str, str]) -> None:
        bad = [name for name in arrays if not name.isidentifier()]
        if bad or not arrays:
            raise ValueError(f"expected arrays named by identifiers, got {bad or 'none'}")
        temporary: Path | None = None
        try:
            self._sweep()
            entry.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(dir=self._workshop()))
            layouts = {}
            for name, array in arrays.items():
                file = temporary / f"{name}.npy"
                np.save(file, array, allow_pickle=False)
                layouts[name] = Layout.describe(file, array)
            (temporary / INDEX).write_text(json.dumps({"arrays": layouts, **origin}), encoding="utf-8")
            _put(temporary, entry)
        except OSError as error:
            free = _free_mebibytes(self.folder)
            reason = error.strerror or error
            raise InputError(
                f"cannot write to the cache {self.folder} ({reason}; {free} MiB free): free some space "
                "or name another folder"
            ) from error
        finally:
            if temporary is not None:
                shutil.rmtree(temporary, ignore_errors=True)

    def _workshop(self) -> Path:
        folder = self.folder / "unfinished"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _sweep(self) -> None:
        """Once a process, remove what killed processes left behind; a day is longer than any entry takes."""
        if self._swept:
            return
        self._swept = True
        for leftover in self._workshop().iterdir():
            with contextlib.suppress(OSError):
                if time.time() - leftover.stat().st_mtime > ABANDONED_AFTER_SECONDS:
                    shutil.rmtree(leftover)


class NoCache(ArrayCache):
    """Builds the arrays at each call and keeps nothing: for files that are read once."""

    def __init__(self) -> None:
        super().__init__("nowhere")

    def fetch(self, source: Path, recipe: str, build: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """The arrays of `build()`."""
        return build()


def _read_index(entry: Path) -> dict[str, Layout] | None:
    """Where the arrays of an entry lie, or None if it is not there or not whole."""
    try:
        described = json.loads((entry / INDEX).read_text(encoding="utf-8"))["arrays"]
        layouts = {name: Layout.read(entry / f"{name}.npy", layout) for name, layout in described.items()}
        whole = all(layout.is_whole and layout.begins_well for layout in layouts.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return layouts if whole else None


def _put(temporary: Path, entry: Path) -> None:
    """Rename a finished folder into place, over a damaged one if need be; a whole one of another process stays."""
    with contextlib.suppress(OSError):
        temporary.rename(entry)
        return
    if _read_index(entry) is None and entry.exists():
        # Rename before removal: nobody may ever see an entry that is half gone.
        grave = temporary.with_name(temporary.name + ".damaged")
        with contextlib.suppress(FileNotFoundError):
            entry.rename(grave)
        shutil.rmtree(grave, ignore_errors=True)
    if _read_index(entry) is None:
        try:
            temporary.rename(entry)
        except OSError:
            if _read_index(entry) is None:
                raise


def _free_mebibytes(folder: Path) -> int:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(existing).free // 2**20
