"""Scores and votes of clouds by their names: published lists, a release's own table, the sheet of SJTU-PCQA."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rankqa_datasets.cloud_name import cloud_key
from rankqa_datasets.errors import InputError
from rankqa_datasets.published_folds import NAME, SCORE, listed_scores, lists_folder
from rankqa_datasets.release import Release
from rankqa_datasets.release_table import read_lines, read_rows

# The order of the columns in the sheet, which has no header.
SJTU_CONTENTS = ["redandblack", "ULB Unicorn", "loot", "soldier", "Romanoillamp", "longdress", "statue", "shiva", "hhi"]


@dataclass(frozen=True)
class Score:
    """A line of a table of scores: where it stands, the cloud's name with its ending, its score and their spread."""

    path: Path
    line: int
    name: str
    raw: float
    std: float | None = None


def cloud_scores(release: Release) -> list[Score]:
    """Scores of the lists, where they are, else of the release's own table."""
    listed = listed_cloud_scores(release)
    return list(official_cloud_scores(release)) if listed is None else listed


def listed_cloud_scores(release: Release) -> list[Score] | None:
    """Scores of the published lists; None where there are no lists.

    Raises:
        InputError: a list cannot be read.
    """
    folder = lists_folder(release)
    if folder is None:
        return None
    release.notes.append(f"scores are those of the lists in {folder}")
    return [Score(row.path, row.line, with_ending(row.text(NAME)), row.number(SCORE)) for row in listed_scores(folder)]


def official_cloud_scores(release: Release) -> Iterable[Score]:
    """Scores of the release's own table, whose columns the card names.

    Raises:
        InputError: there is no such table, or it cannot be read.
    """
    columns, path = release.card.columns, score_table(release)
    sheet = str(release.card.files["sheet"]) if "sheet" in release.card.files else None
    for row in read_rows(path, [columns["name"], columns["target"]], sheet=sheet):
        yield Score(path, row.line, with_ending(row.text(columns["name"])), row.number(columns["target"]))


def score_table(release: Release) -> Path:
    """The release's own table of scores.

    Raises:
        InputError: it is not there; says which lists would do as well, and whose they are.
    """
    card = release.card
    if "scores" in card.files and ("folds" not in card.files or release.first("scores") is not None):
        return release.path("scores")
    tables = "".join(f"'{name}' or " for name in (card.choices("scores") if "scores" in card.files else []))
    lists = f"'{card.choices('folds')[1]}/test_1.csv' and the like of {card.sources[0].split()[0]}"
    raise InputError(f"{card.title}: expected {tables}{lists} in {release.root}; clouds are at {card.homepage}")


def with_ending(name: str) -> str:
    """A name without the apostrophe of WPC's sheet and with the ending that some tables leave out."""
    return f"{name.rstrip(chr(39)).removesuffix('.ply')}.ply"


def sjtu_sheet(path: Path) -> Iterable[Score]:
    """The 42 x 9 sheet, one column a content; where it has a header, the header is believed.

    Raises:
        InputError: it has another size, or a cell is no number.
    """
    lines = [line for line in read_lines(path) if any(line)]
    header = SJTU_CONTENTS
    if lines and not _is_number(lines[0][0]):
        header, lines = lines[0], lines[1:]
    if len(lines) != 42 or any(len([cell for cell in line if cell]) != len(SJTU_CONTENTS) for line in lines):
        raise InputError(f"{path}: expected 42 rows of {len(SJTU_CONTENTS)} scores, one column a content")
    for column, content in enumerate(header):
        for number, line in enumerate(lines):
            if not _is_number(line[column]):
                raise InputError(f"{path}: expected a score of '{content}_{number}', got '{line[column][:80]}'")
            yield Score(path, number + 1, f"{content}_{number}.ply", float(line[column]))


def raw_votes(release: Release) -> dict[str, list[float]]:
    """The raw votes by the key of the cloud's name; none where there is no table of them.

    Raises:
        InputError: a vote is no number, or a cloud comes twice.
    """
    if "votes" not in release.card.files:
        return {}
    choices = [release.lists / "total_raw_score.csv"] if release.lists is not None else []
    if (found := release.first("votes")) is not None:
        choices.append(release.root / found)
    path = next((path for path in choices if path.is_file()), None)
    votes: dict[str, list[float]] = {}
    for row in [] if path is None else read_rows(path, [NAME]):
        key = cloud_key(row.text(NAME))
        if key in votes:
            raise InputError(f"{path}: row {row.line}: '{row.text(NAME)}' comes twice")
        votes[key] = [row.number(observer) for observer, cell in row.cells.items() if observer != NAME and cell]
    return votes


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
