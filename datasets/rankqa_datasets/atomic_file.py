"""Writing a file so that readers see the old one or the new one, never a half."""

import contextlib
import os
import secrets
from pathlib import Path

from rankqa_datasets.errors import InputError


def write_text_atomically(path: Path, text: str) -> None:
    """Write UTF-8 text as `write_bytes_atomically` does; line ends stay as they are."""
    write_bytes_atomically(path, text.encode())


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary file beside `path`, flush it to the disk, and rename it over `path`.

    Raises:
        InputError: the folder is missing, not writable, or the disk is full; `path` is then as it was.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; what was there is untouched") from error
    finally:
        # After the rename there is nothing left to remove; after a failure or Ctrl-C there may be.
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
