"""Opening a cloud file so that whatever is wrong with it ends in one line that names it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rankqa_datasets.errors import InputError


class FormatError(ValueError):
    """What is wrong with a cloud file, without its name; `cloud_file` adds the name."""


@contextmanager
def cloud_file(path: Path, kind: str) -> Iterator[BinaryIO]:
    """Opens `path` for binary reading.

    Args:
        path: the file.
        kind: what was expected, for messages: "PLY", "PCD", ...

    Raises:
        InputError: the file cannot be opened or is empty, or the body raised FormatError, OSError or MemoryError.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise FormatError(f"expected a {kind} file, got an empty file (0 bytes)")
            yield file
    except OSError as error:
        raise InputError(f"{path}: expected a readable {kind} file, got: {error.strerror or error}") from None
    except MemoryError:
        raise InputError(f"{path}: the cloud does not fit in memory") from None
    except FormatError as error:
        # Messages quote the file, and what it holds must not steer a terminal.
        printable = "".join(sign if sign.isprintable() else "?" for sign in str(error))
        raise InputError(f"{path}: {printable}") from None


def bytes_left(file: BinaryIO) -> int:
    """Bytes from the file's position to its end."""
    return max(os.fstat(file.fileno()).st_size - file.tell(), 0)
