"""Published folds: lists `train_k.csv` and `test_k.csv` of names and scores, as public repositories ship them."""

from collections.abc import Sequence
from pathlib import Path

from rankqa_datasets.cloud_name import cloud_key
from rankqa_datasets.errors import InputError
from rankqa_datasets.release import Opinion, Release
from rankqa_datasets.release_table import TableRow, read_rows
from rankqa_datasets.split import Part, Split, check_split
from rankqa_datasets.stimulus import Stimulus

NAME, SCORE = "name", "mos"
# Lists have about ten digits; a larger difference means lists of another release of the scores.
ROUNDING = 1e-5


def lists_folder(release: Release) -> Path | None:
    """The folder that holds `test_1.csv`: the one that the user names, else the first of the card's choices.

    Raises:
        InputError: the folder that the user names does not hold it.
    """
    if release.lists is not None:
        if not (release.lists / "test_1.csv").is_file():
            raise InputError(f"{release.card.title}: expected the lists train_1.csv and test_1.csv in {release.lists}")
        return release.lists
    for folder in release.card.choices("folds") if "folds" in release.card.files else []:
        found = release.find(f"{folder}/test_1.csv" if folder else "test_1.csv")
        if found is not None:
            return (release.root / found).parent
    return None


def listed_scores(folder: Path) -> list[TableRow]:
    """Names and scores of all stimuli: those of `total.csv`, or, where there is none, of all test lists.

    Raises:
        InputError: a list cannot be read.
    """
    total = folder / "total.csv"
    paths = [total] if total.is_file() else [test for _, test in _pairs(folder)]
    return [row for path in paths for row in read_rows(path, [NAME, SCORE])]


def published_folds(release: Release, opinions: Sequence[Opinion], stimuli: Sequence[Stimulus]) -> list[Split] | None:
    """The folds of the published lists, or None where there are no lists.

    Raises:
        InputError: a list names an unknown stimulus, leaves one out, gives it another score or names it twice; a list
            is missing; or a content is in both lists of a fold.
    """
    folder = lists_folder(release)
    if folder is None:
        return None
    known = {cloud_key(opinion.name or opinion.path): opinion for opinion in opinions}
    pairs = _pairs(folder)
    if len(pairs) != release.card.folds:
        release.notes.append(f"expected lists of {release.card.folds} folds, got {len(pairs)} in {folder}")
    return [_fold(train, test, known, stimuli) for train, test in pairs]


def _pairs(folder: Path) -> list[tuple[Path, Path]]:
    """The lists of each fold, from 1 on without a gap."""
    pairs = []
    while (test := folder / f"test_{len(pairs) + 1}.csv").is_file():
        pairs.append((folder / f"train_{len(pairs) + 1}.csv", test))
    return pairs


def _fold(train: Path, test: Path, known: dict[str, Opinion], stimuli: Sequence[Stimulus]) -> Split:
    parts: dict[str, Part] = {}
    lists: list[tuple[Part, Path]] = [("train", train), ("test", test)]
    for part, path in lists:
        for row in read_rows(path, [NAME, SCORE]):
            name = row.text(NAME)
            opinion = known.get(cloud_key(name))
            if opinion is None:
                raise InputError(f"{path}: row {row.line}: unknown stimulus '{name}': no score is known of it")
            if abs(row.number(SCORE) - opinion.raw) > ROUNDING:
                raise InputError(
                    f"{path}: row {row.line}: expected the score {opinion.raw:g} of '{name}', got "
                    f"{row.number(SCORE):g}: are these lists of another release?"
                )
            if opinion.path in parts:
                raise InputError(f"{path}: row {row.line}: '{name}' comes twice in the fold")
            parts[opinion.path] = part
    return check_split(Split(parts), stimuli, source=f"{train.name} and {test.name} in {test.parent}")
