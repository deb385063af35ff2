"""The folder of an official release: files are found without regard to letter case, and what is missing is named."""

from dataclasses import dataclass
from pathlib import Path

from rankqa_datasets.card import Card
from rankqa_datasets.errors import InputError


@dataclass(frozen=True)
class Opinion:
    """One rated stimulus in the words of the release, before its score is turned so that higher is better.

    Attributes:
        path: relative to the root, as it lies on the disk.
        raw: score on the raw scale.
        reference: the pristine stimulus, like `path`.
        content: what splits group by; None where the stimulus is its own content.
        std: standard deviation of the opinions, on the scale of `raw`.
        votes: number of opinions.
        recipe: distortion type and level.
        part: train, validation or test.
        subset: the part of the database it comes from, where the release has such parts.
    """

    path: str
    raw: float
    reference: str | None = None
    content: str | None = None
    std: float | None = None
    votes: int | None = None
    recipe: str | None = None
    part: str | None = None
    subset: str | None = None


class Release:
    """Finds the files of a release; `missing` and `notes` gather what the user must hear about."""

    def __init__(self, root: Path, card: Card) -> None:
        """Name the folder.

        Raises:
            InputError: it is no folder.
        """
        if not root.is_dir():
            raise InputError(f"{card.title}: expected the folder of the release, got {root}; see {card.homepage}")
        self.root, self.card = root, card
        self.missing: list[str] = []
        self.notes: list[str] = []
        self._listings: dict[Path, dict[str, str]] = {}

    def find(self, name: str) -> str | None:
        """`name` (parts divided by `/`) in the letter case of the disk, or None; the release itself mixes cases."""
        found: list[str] = []
        for part in name.split("/"):
            listing = self._listing(self.root.joinpath(*found))
            actual = listing.get(part) or listing.get(part.casefold())
            if actual is None:
                return None
            found.append(actual)
        return "/".join(found)

    def first(self, role: str) -> str | None:
        """The first of the card's choices for a file or folder that is there, as a name; '' is the root itself."""
        for name in self.card.choices(role):
            found = self.find(name) if name else ""
            if found is not None:
                return found
        return None

    def path(self, role: str) -> Path:
        """Path of the first of the card's choices for a file or folder.

        Raises:
            InputError: none of them is there; names the expected file and the homepage.
        """
        found = self.first(role)
        if found is None:
            expected = " or ".join(f"'{name}'" for name in self.card.choices(role))
            workbook = next((old for new in self.card.choices(role) if (old := self._old_workbook(new))), None)
            what = f"save {workbook} as .xlsx, then type this again" if workbook else f"get it at {self.card.homepage}"
            raise InputError(f"{self.card.title}: expected {expected} in {self.root}: {what}")
        return self.root / found

    def folders(self, role: str) -> list[str]:
        """Those of the card's choices for a folder that are there, as the card writes them.

        Raises:
            InputError: none of them is there.
        """
        self.path(role)
        return [name for name in self.card.choices(role) if not name or self.find(name) is not None]

    def stimulus(self, name: str, folders: list[str] | None = None) -> str:
        """The path of a stimulus or reference as it lies on the disk, in the first folder that has it.

        A file that is not there goes to `missing`, so that all of them can be counted.
        """
        wanted = [f"{folder}/{name}" if folder else name for folder in folders or [""]]
        for path in wanted:
            found = self.find(path)
            if found is not None:
                return found
        self.missing.append(wanted[0])
        return wanted[0]

    def recipe(self, number: str, level: str) -> str:
        """`type_level` with the type's name in place of its number, which starts at 1.

        Raises:
            InputError: the card knows no such type.
        """
        types = self.card.types
        if not number.isdigit() or not 1 <= int(number) <= len(types):
            raise InputError(f"{self.card.title}: expected a distortion type from 1 to {len(types)}, got '{number}'")
        return f"{types[int(number) - 1]}_{int(level)}"

    def _listing(self, folder: Path) -> dict[str, str]:
        """Names in a folder by themselves and, where no other file has that name, casefolded; none if it is none."""
        if folder not in self._listings:
            try:
                names = sorted(entry.name for entry in folder.iterdir())
            except OSError:
                names = []
            self._listings[folder] = {name.casefold(): name for name in names} | {name: name for name in names}
        return self._listings[folder]

    def _old_workbook(self, name: str) -> str | None:
        return self.find(name[:-1]) if name.endswith(".xlsx") else None
