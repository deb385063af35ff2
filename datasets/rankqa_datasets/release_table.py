"""Rows of the tables in official releases: CSV and XLSX, columns by name, whatever their order."""

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path

from rankqa_datasets.errors import InputError

# A workbook may have a title above its header (CSIQ: row 4).
HEADER_WITHIN = 20


@dataclass(frozen=True)
class TableRow:
    """The cells of one row by column name, lower case and with single blanks."""

    path: Path
    line: int
    cells: dict[str, str]

    def text(self, column: str) -> str:
        """The cell, without outer blanks.

        Raises:
            InputError: it is empty.
        """
        cell = self.cells[_plain(column)]
        if not cell:
            raise InputError(f"{self.path}: row {self.line}, column '{column}': expected a value, got an empty cell")
        return cell

    def number(self, column: str) -> float:
        """The cell as a finite number.

        Raises:
            InputError: it is none.
        """
        try:
            value = float(self.text(column))
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            value = math.nan
        if not math.isfinite(value):
            raise self._unexpected(column, "a number")
        return value

    def whole(self, column: str) -> int:
        """The cell as a whole number.

        Raises:
            InputError: it is none.
        """
        value = self.number(column)
        if value != int(value):
            raise self._unexpected(column, "a whole number")
        return int(value)

    def numbers(self, prefix: str) -> list[float]:
        """All numbers in the columns whose names start with `prefix`, empty cells left out.

        Raises:
            InputError: a cell is not empty and no number.
        """
        columns = [name for name, cell in self.cells.items() if name.startswith(_plain(prefix)) and cell]
        return [self.number(name) for name in columns]

    def _unexpected(self, column: str, expected: str) -> InputError:
        came = _brief(self.text(column))
        return InputError(f"{self.path}: row {self.line}, column '{column}': expected {expected}, got '{came}'")


def read_rows(path: Path, columns: list[str], *, sheet: str | None = None) -> list[TableRow]:
    """The rows below the first line that has all `columns`; empty ones are passed over.

    Args:
        path: `.xlsx`, or a CSV in UTF-8 (with or without byte-order mark) or Latin-1.
        columns: names that must be there, without regard to letter case and blanks.
        sheet: of a workbook; by default its first.

    Raises:
        InputError: the file cannot be read, or a column or the sheet is not there.
    """
    lines = read_lines(path, sheet=sheet)
    wanted = [_plain(column) for column in columns]
    for start, line in enumerate(lines[:HEADER_WITHIN]):
        header = [_plain(cell) for cell in line]
        if all(column in header for column in wanted):
            # A name that comes twice means its first column.
            places = {name: place for place, name in reversed(list(enumerate(header))) if name}
            return [
                TableRow(path, number, {name: cells[place] for name, place in places.items()})
                for number, cells in enumerate(lines[start + 1 :], start=start + 2)
                if any(cells)
            ]
    came = _brief(", ".join(cell for cell in lines[0] if cell)) if lines else "no row"
    raise InputError(f"{path}: expected the columns '{', '.join(columns)}', got '{came}'")


def read_lines(path: Path, *, sheet: str | None = None) -> list[list[str]]:
    """All cells of a table as text, of one width, for tables without a header over each column.

    Raises:
        InputError: the file cannot be read, or the sheet is not there.
    """
    return _workbook_lines(path, sheet) if path.suffix.lower() == ".xlsx" else _csv_lines(path)


def _plain(name: str) -> str:
    return " ".join(name.lower().split())


def _csv_lines(path: Path) -> list[list[str]]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    try:
        lines = [[_on_one_line(cell) for cell in line] for line in csv.reader(io.StringIO(text, newline=""))]
    except csv.Error as error:
        raise InputError(f"{path}: expected a CSV: {error}") from error
    return _same_width(lines)


def _workbook_lines(path: Path, sheet: str | None) -> list[list[str]]:
    import openpyxl

    try:
        workbook = openpyxl.load_workbook(path, read_only=True, data_only=True)
        names = workbook.sheetnames
        try:
            if sheet is None or sheet in names:
                page = workbook[sheet or names[0]]
                # Programs other than Excel write a wrong size, which would cut rows off.
                page.reset_dimensions()
                return _same_width([[_cell(value) for value in line] for line in page.iter_rows(values_only=True)])
        finally:
            workbook.close()
    # Damaged bytes raise what zipfile, zlib and the XML parser raise, and more.
    except Exception as error:
        raise InputError(f"{path}: expected an .xlsx workbook: {_brief(str(error))}") from error
    raise InputError(f"{path}: expected a sheet '{sheet}', got '{', '.join(names)}'")


def _brief(text: str) -> str:
    return " ".join(text.split())[:200]


def _cell(value: object) -> str:
    """A cell as the sheet shows it: the image named 1600 is a number there, and must not become 1600.0."""
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return _on_one_line(str(value))


def _on_one_line(cell: str) -> str:
    """No cell has line ends for a meaning: they come from an open quotation mark, and would tear messages apart."""
    return " ".join(cell.splitlines()).strip()


def _same_width(lines: list[list[str]]) -> list[list[str]]:
    width = max((len(line) for line in lines), default=0)
    return [line + [""] * (width - len(line)) for line in lines]
