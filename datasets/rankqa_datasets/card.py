"""Cards: what is known about a public database, one TOML file each in `cards/`."""

import tomllib
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Literal

from rankqa_datasets.errors import InputError

CARDS = files("rankqa_datasets") / "cards"


@dataclass(frozen=True, kw_only=True)
class Card:
    """One public database: where its scores stand, what they mean, how it is divided, whose it is.

    Attributes:
        name: what the user types; the name of the TOML file.
        title: full name.
        stimuli: rated stimuli of the official release.
        contents: pristine sources among them; the number of stimuli where each is its own.
        raw: what the release calls its scores.
        direction: whether a higher or a lower raw score is better quality.
        low: lower end of the raw scale; None where it is open.
        high: upper end of the raw scale; None where it is open.
        reference: how the pristine stimulus of a stimulus is found, or `none`.
        content: what splits group by.
        split: `official`, `folds by content`, or `by content` for ten divisions 80/20 with the seeds 0 to 9.
        licence: terms of use in a few words.
        homepage: where the release is to be had.
        citation: the paper.
        sources: public loaders and measurements that the facts come from.
        notes: traps.
        files: file or folder by its role, relative to the root; a list means the first that is there.
        columns: name of a table's column, or of a variable, by its role.
        parts: number of stimuli in each official part.
        types: names of the distortion types 1, 2, ... in the order of the release.
        votes: opinions behind each score, where all have the same number.
        folds: number of content-grouped folds that papers use; those of published lists, where the release or the user
            has them (`files.folds`), else made.
        std_factor: what the released standard deviations are multiplied by to be on the scale of the scores.
    """

    name: str
    title: str
    stimuli: int
    contents: int
    raw: str
    direction: Literal["higher", "lower"]
    reference: str
    content: str
    split: Literal["official", "folds by content", "by content"]
    licence: str
    homepage: str
    citation: str
    sources: list[str]
    notes: list[str]
    files: dict[str, str | list[str]]
    low: float | None = None
    high: float | None = None
    columns: dict[str, str] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)
    types: list[str] = field(default_factory=list)
    votes: int | None = None
    folds: int | None = None
    std_factor: float = 1.0

    @property
    def scale(self) -> str:
        """The raw scale in words, such as `0 to 100`."""
        if self.low is None or self.high is None:
            return "open"
        return f"{self.low:g} to {self.high:g}"

    def target(self, raw: float) -> float:
        """The score with higher as better: a lower-is-better scale is mirrored within its ends, an open one about 0."""
        if self.direction == "higher":
            return raw
        return (self.low or 0.0) + (self.high or 0.0) - raw

    def choices(self, role: str) -> list[str]:
        """The names that a file or folder may have, most wanted first."""
        names = self.files[role]
        return [names] if isinstance(names, str) else names


def card_names() -> list[str]:
    """Names of all databases that there is a card for, sorted."""
    return sorted(entry.name.removesuffix(".toml") for entry in CARDS.iterdir() if entry.name.endswith(".toml"))


def read_card(name: str) -> Card:
    """The card of a database.

    Raises:
        InputError: there is none of that name.
    """
    known = card_names()
    if name not in known:
        raise InputError(f"no card of a database {name!r}; known: {', '.join(known)}")
    return Card(name=name, **tomllib.loads((CARDS / f"{name}.toml").read_text(encoding="utf-8")))
