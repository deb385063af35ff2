"""A manifest's CSV as rows with line numbers, before any cell is understood."""

import csv
import difflib
import io
from dataclasses import dataclass
from pathlib import Path

REQUIRED = ("path", "target")
OPTIONAL = ("reference", "content", "target_std", "votes", "recipe", "split")
KNOWN = REQUIRED + OPTIONAL

# Above it, a column is taken for a slip of the pen: `targets`, `refrence`, `Split`. Below it: a column of the user's.
MISSPELT_SIMILARITY = 0.8


@dataclass(frozen=True)
class Problem:
    """One fault of a manifest.

    Attributes:
        row: line in the file as an editor shows it, the header being 1; 0 for the file as a whole.
        column: name of the column, empty where none is to blame.
        message: what was expected, what came.
    """

    row: int
    column: str
    message: str

    def __str__(self) -> str:
        where = [f"row {self.row}"] if self.row else []
        where += [f"column {self.column}"] if self.column else []
        return f"{', '.join(where)}: {self.message}" if where else self.message


@dataclass(frozen=True)
class ManifestTable:
    """Cells by column name, one dictionary a row, each with its line; and what was wrong with the form of the file."""

    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]
    problems: tuple[Problem, ...]


def read_table(path: Path) -> ManifestTable:
    """The rows of a CSV with a header line: UTF-8, with or without a byte-order mark, comma-separated.

    Cells lose outer blanks; empty lines and unnamed, empty trailing columns are passed over. Nothing is raised: what
    is wrong comes back as problems, and rows of the wrong length are left out.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        return _hopeless(f"cannot read the manifest: {error.strerror}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _hopeless("expected a CSV in UTF-8, got another encoding or a binary file; save it as 'CSV UTF-8'")
    if "\0" in text:
        return _hopeless("expected a CSV in UTF-8, got a binary file (it holds zero bytes)")

    lines: list[tuple[int, list[str]]] = []
    problems: list[Problem] = []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    start = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                lines.append((start, [cell.strip() for cell in cells]))
            start = reader.line_num + 1
    except csv.Error as error:
        problems.append(Problem(start, "", f"not a well-formed CSV row: {error}"))
    if not lines:
        return ManifestTable(
            (), (), tuple(problems) or _hopeless("expected a header 'path,target', got no row").problems
        )

    (header_line, header), *body = lines
    header = _without_empty_tail(header)
    problems += _header_problems(header_line, header)
    rows = []
    for line, cells in body:
        cells = cells[: len(header)] + _without_empty_tail(cells[len(header) :])
        if len(cells) != len(header):
            problems.append(Problem(line, "", f"expected {len(header)} cells as in the header, got {len(cells)}"))
        else:
            rows.append((line, dict(zip(header, cells, strict=True))))
    return ManifestTable(tuple(header), tuple(rows), tuple(problems))


def _hopeless(message: str) -> ManifestTable:
    return ManifestTable((), (), (Problem(0, "", message),))


def _without_empty_tail(cells: list[str]) -> list[str]:
    while cells and not cells[-1]:
        cells = cells[:-1]
    return cells


def _header_problems(line: int, header: list[str]) -> list[Problem]:
    problems = []
    for position, name in enumerate(header):
        close = difflib.get_close_matches(name.lower(), KNOWN, n=1, cutoff=MISSPELT_SIMILARITY)
        if not name:
            problems.append(Problem(line, "", f"column {position + 1} has no name"))
        elif name in header[:position]:
            problems.append(Problem(line, name, "this column name comes twice"))
        elif name not in KNOWN and close:
            problems.append(Problem(line, name, f"unknown column; did you mean '{close[0]}'?"))
    for name in REQUIRED:
        if name not in header:
            came = ", ".join(header)
            hint = "; cells must be separated by commas" if ";" in came or "\t" in came else ""
            problems.append(Problem(line, name, f"expected a column '{name}', got the columns '{came[:200]}'{hint}"))
    return problems
