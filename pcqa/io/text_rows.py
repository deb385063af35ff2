"""Rows of numbers from text, a few megabytes at a time."""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np

from pcqa.io.cloud_file import FormatError

BLOCK_BYTES = 1 << 21

# A row of numbers takes some hundred bytes; the limit keeps a file without line ends from being read whole.
MAX_LINE_BYTES = 1 << 20


def text_lines(file: BinaryIO) -> Iterator[list[str]]:
    """The lines from the file's position on, without blank ones, in lists of about 2 MB.

    Raises:
        FormatError: a line of more than 1 MB.
    """
    rest = b""
    while block := file.read(BLOCK_BYTES):
        whole, end, tail = block.rpartition(b"\n")
        if end:
            yield _split(rest + whole)
            rest = tail
        else:
            rest += tail
        if len(rest) > MAX_LINE_BYTES:
            raise FormatError(f"expected lines of numbers, got one of more than {MAX_LINE_BYTES} bytes")
    if rest:
        yield _split(rest)


def _split(block: bytes) -> list[str]:
    # Not splitlines(): in latin-1 it would also split at control characters.
    return [line for line in block.decode("latin-1").split("\n") if line and not line.isspace()]


def parse_rows(lines: Sequence[str], width: int, *, first_row: int = 0, delimiter: str | None = None) -> np.ndarray:
    """Numbers of non-blank lines, (rows, width) float64.

    Args:
        lines: one row each; at least one.
        width: expected numbers in a row.
        first_row: number of the first line among the rows of the file, counted from 0, for messages.
        delimiter: what stands between numbers; None for blanks.

    Raises:
        FormatError: a line with another number of words, or a word that is no number.
    """
    try:
        table = np.loadtxt(lines, np.float64, comments=None, delimiter=delimiter, ndmin=2)
    except ValueError:
        raise FormatError(_explain(lines, width, first_row, delimiter)) from None
    if table.shape != (len(lines), width):
        raise FormatError(_explain(lines, width, first_row, delimiter))
    return table


def _explain(lines: Sequence[str], width: int, first_row: int, delimiter: str | None) -> str:
    expected = f"expected {width} numbers in each line"
    for row, line in enumerate(lines, first_row):
        words = line.split(delimiter)
        wrong = next((word for word in words if not is_number(word)), None)
        if wrong is not None:
            return f"{expected}, got {wrong[:40]!r} in row {row}"
        if len(words) != width:
            return f"{expected}, got {len(words)} in row {row}: {line.strip()[:40]!r}"
    return f"{expected}, got something else in rows {first_row} to {first_row + len(lines) - 1}"


def is_number(word: str) -> bool:
    """Whether a word is a number, nan and inf included."""
    try:
        float(word)
    except ValueError:
        return False
    return "_" not in word
