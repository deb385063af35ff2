"""Lines of the text files in official releases."""

from pathlib import Path

from rankqa_datasets.errors import InputError


def text_lines(path: Path) -> list[str]:
    """The lines of a file in UTF-8, with or without byte-order mark, without outer blanks and without empty ones.

    Raises:
        InputError: it cannot be read, or is no text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path} as text: {error}") from error
    return [line.strip() for line in text.splitlines() if line.strip()]
