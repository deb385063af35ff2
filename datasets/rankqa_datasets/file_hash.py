"""The identity of a file: a hash of its bytes."""

import hashlib
from pathlib import Path


class FileHashes:
    """SHA-256 of files, computed once per (path, size, modification time).

    The memory is a plain dictionary: it is copied into worker processes by fork as by pickling, so a parent that hashes
    first saves its workers the reading.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int], str] = {}

    def sha256(self, path: Path) -> str:
        """Hash of the file's bytes, 64 hexadecimal digits.

        Raises:
            OSError: the file cannot be read.
        """
        state = path.stat()
        key = (str(path), state.st_size, state.st_mtime_ns)
        if key not in self._known:
            with path.open("rb") as file:
                self._known[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return self._known[key]
