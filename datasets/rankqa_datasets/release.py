"""The folder of an official release: files are found without regard to letter case, and what is missing is named."""

import os
from dataclasses import dataclass
from pathlib import Path

from rankqa_datasets.card import Card
from rankqa_datasets.cloud_name import cloud_key
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
        name: of a cloud in the published lists of folds; None where there are none.
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
    name: str | None = None


class Release:
    """Finds the files of a release; `missing` and `notes` gather what the user must hear about."""

    def __init__(self, root: Path, card: Card, *, files: bool = True, lists: Path | None = None) -> None:
        """Name the folder.

        Args:
            root: the folder.
            card: of the database.
            files: whether stimuli must be there; otherwise they are known by their names alone.
            lists: folder of the published lists of folds, where it is none of the card's choices.

        Raises:
            InputError: it is no folder.
        """
        if not root.is_dir():
            raise InputError(f"{card.title}: expected the folder of the release, got {root}; see {card.homepage}")
        self.root, self.card, self.files, self.lists = root, card, files, lists
        self.missing: list[str] = []
        self.notes: list[str] = []
        self._listings: dict[Path, dict[str, str]] = {}
        self._clouds: dict[str, list[str]] | None = None

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
        if self.files:
            self.missing.append(wanted[0])
        return wanted[0]

    def cloud(self, names: list[str], folders: list[str] | None = None) -> str:
        """The path of a distorted cloud, wherever it lies below the root; the first name where files do not matter.

        A cloud that is not there goes to `missing`.

        Args:
            names: what the file may be called, most wanted first.
            folders: where to look first, should several files have that name.

        Raises:
            InputError: several files have that name, and not just one of them is in a folder of `folders`.
        """
        if not self.files:
            return names[0]
        found = self.find_cloud(names, folders)
        if found is None:
            self.missing.append(names[0])
            return names[0]
        return found

    def find_cloud(self, names: list[str], folders: list[str] | None = None) -> str | None:
        """As `cloud`, but None where the cloud is not there; so it is always where files do not matter.

        Raises:
            InputError: as `cloud`.
        """
        if not self.files:
            return None
        for name in names:
            places = self._cloud_places().get(cloud_key(name), [])
            for folder in folders or []:
                inside = [path for path in places if f"/{folder.casefold()}/" in f"/{path.casefold()}"]
                places = inside or places
            if len(places) > 1:
                raise InputError(
                    f"{self.card.title}: expected one file '{name}' in {self.root}, got '{places[0]}' and '{places[1]}'"
                )
            if places:
                return places[0]
        return None

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

    def _cloud_places(self) -> dict[str, list[str]]:
        """The paths of all PLY files below the root by the key of their names; hidden folders are passed over."""
        if self._clouds is None:
            self._clouds = {}
            for folder, folders, names in os.walk(self.root):
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                within = Path(folder).relative_to(self.root)
                for name in sorted(names):
                    if name.casefold().endswith(".ply") and not name.startswith("."):
                        self._clouds.setdefault(cloud_key(name), []).append((within / name).as_posix())
        return self._clouds

    def _old_workbook(self, name: str) -> str | None:
        return self.find(name[:-1]) if name.endswith(".xlsx") else None
