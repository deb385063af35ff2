"""Splits: which stimuli train, which select, which are never seen. A content is never in two parts.

A stimulus may also be in none: it is then `unused`, neither trained on nor judged.
"""

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from rankqa_datasets.atomic_file import write_text_atomically
from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import Stimulus

Part = Literal["train", "validation", "test", "unused"]

# (content is in the fold, stimulus is of the label) -> part
LEAVING_OUT: dict[tuple[bool, bool], Part] = {
    (True, True): "test",
    (True, False): "unused",
    (False, True): "unused",
    (False, False): "train",
}


@dataclass(frozen=True)
class Split:
    """The part of each stimulus, by its id."""

    parts: dict[str, Part]

    def ids(self, part: Part) -> tuple[str, ...]:
        """Ids of one part, in the order of the manifest that made the split."""
        return tuple(id_ for id_, its_part in self.parts.items() if its_part == part)

    @property
    def digest(self) -> str:
        """SHA-256, hexadecimal, of the assignment; the order of the rows plays no part."""
        return hashlib.sha256(json.dumps(sorted(self.parts.items())).encode()).hexdigest()


def split_by_content(
    stimuli: Sequence[Stimulus], *, test: float = 0.2, validation: float = 0.0, seed: int = 0
) -> Split:
    """A random split in which contents stay whole and shares are met in stimuli as nearly as whole contents allow.

    Args:
        stimuli: the rows of a manifest; their order does not matter.
        test: share of the stimuli for the test part, from 0 up to 1.
        validation: the same for the validation part; the rest trains.
        seed: chooses the contents.

    Raises:
        InputError: the shares are not shares, or there are too few contents for the parts wanted.
    """
    if not (test >= 0 and validation >= 0 and test + validation < 1):
        raise InputError(f"expected shares of at least 0 with a sum below 1, got test={test} validation={validation}")
    sizes = Counter(stimulus.content for stimulus in stimuli)
    wanted: dict[Part, float] = {"test": test * len(stimuli), "validation": validation * len(stimuli)}
    wanted = {part: count for part, count in wanted.items() if count > 0}
    if len(sizes) < len(wanted) + 1:
        parts = ", ".join(["train", *wanted])
        raise InputError(f"expected a content for each part ({parts}), got {len(sizes)} contents: lower the shares")
    contents = sorted(sizes)
    np.random.default_rng(seed).shuffle(contents)
    part_of: dict[str, Part] = {}
    parts_left = len(wanted)
    for part, count in wanted.items():
        left = [content for content in contents if content not in part_of]
        for content in _nearest_filling(left, sizes, count, at_most=len(left) - parts_left):
            part_of[content] = part
        parts_left -= 1
    return Split({stimulus.id: part_of.get(stimulus.content, "train") for stimulus in stimuli})


def folds_by_content(stimuli: Sequence[Stimulus], *, folds: int, seed: int = 0) -> list[Split]:
    """`folds` splits without a validation part: each content is tested in exactly one of them.

    Folds are balanced by number of stimuli (largest content first into the smallest fold). As many folds as contents
    means leave one content out.

    Raises:
        InputError: fewer than 2 folds, or fewer contents than folds.
    """
    sizes = Counter(stimulus.content for stimulus in stimuli)
    if not 2 <= folds <= len(sizes):
        raise InputError(f"expected from 2 folds to one for each of the {len(sizes)} contents, got {folds}")
    contents = sorted(sizes)
    np.random.default_rng(seed).shuffle(contents)
    contents.sort(key=lambda content: -sizes[content])
    loads = [0] * folds
    fold_of: dict[str, int] = {}
    for content in contents:
        fold = loads.index(min(loads))
        fold_of[content] = fold
        loads[fold] += sizes[content]
    return [
        Split({stimulus.id: "test" if fold_of[stimulus.content] == fold else "train" for stimulus in stimuli})
        for fold in range(folds)
    ]


def splits_leaving_out(
    stimuli: Sequence[Stimulus], labels: Sequence[str], *, folds: int, seed: int = 0
) -> dict[tuple[str, int], Split]:
    """Leave one distortion out, with contents held out too: a split for each label and each fold of the contents.

    Tested are the stimuli of the label whose contents are in the fold; trained on are those of neither the label nor
    the fold; all others are unused. So nothing that a model is judged on, distortion or content, was in training.
    Over all splits each labelled stimulus is tested once. Stimuli with an empty label, such as pristine ones, are of
    no distortion: they are never tested, and train where their content does.

    Args:
        stimuli: the rows of a manifest.
        labels: (N,) what each stimulus is left out by, such as its type of distortion.
        folds: folds of the contents, as in `folds_by_content`; a fold without any stimulus of a label gives no split.
        seed: deals the contents out to the folds.

    Returns:
        (label, number of the fold from 1 on) -> split, sorted.

    Raises:
        InputError: fewer than 2 labels, a wrong number of folds, or a split with fewer than 2 test or 2 training
            stimuli, from which no rank follows.
    """
    names = sorted(set(labels) - {""})
    if len(names) < 2:
        raise InputError(f"expected at least 2 values to leave out one after the other, got {len(names)}")
    held_out = [set(fold.ids("test")) for fold in folds_by_content(stimuli, folds=folds, seed=seed)]
    splits: dict[tuple[str, int], Split] = {}
    for name in names:
        for number, fold in enumerate(held_out, start=1):
            parts: dict[str, Part] = {
                s.id: LEAVING_OUT[s.id in fold, label == name] for s, label in zip(stimuli, labels, strict=True)
            }
            split = Split(parts)
            tested, trained = len(split.ids("test")), len(split.ids("train"))
            if tested == 1 or trained < 2:
                raise InputError(
                    f"'{name}' left out with fold {number} of {folds}: expected at least 2 test and 2 training "
                    f"stimuli, got {tested} and {trained}: take fewer folds or a column of fewer values"
                )
            if tested:
                splits[name, number] = split
    return splits


def split_from_column(stimuli: Sequence[Stimulus]) -> Split | None:
    """The split that the manifest's own column gives, or None if it gives none."""
    if any(stimulus.split is None for stimulus in stimuli):
        return None
    return Split({stimulus.id: _part(stimulus.split or "", stimulus.id) for stimulus in stimuli})


def carve_validation(stimuli: Sequence[Stimulus], split: Split, *, share: float, seed: int) -> Split:
    """`split` with that share of its training stimuli moved, by content, into a validation part.

    Raises:
        InputError: the share is not between 0 and 1, there is a validation part already, or the training part has
            fewer than 2 contents.
    """
    if split.ids("validation"):
        raise InputError("expected a split without a validation part, got one that has it: leave out the share")
    if not 0 < share < 1:
        raise InputError(f"expected a validation share between 0 and 1, got {share}")
    training = [stimulus for stimulus in stimuli if split.parts[stimulus.id] == "train"]
    carved = split_by_content(training, test=0.0, validation=share, seed=seed)
    return Split(split.parts | carved.parts)


def write_split(split: Split, path: str | Path) -> None:
    """Write the split as a CSV `path,split`, atomically.

    Raises:
        InputError: the file cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "split"])
    writer.writerows(split.parts.items())
    write_text_atomically(Path(path), text.getvalue())


def read_split(path: str | Path, stimuli: Sequence[Stimulus]) -> Split:
    """The split in a CSV `path,split`, checked against the stimuli it is for.

    Raises:
        InputError: the file is not such a CSV, its paths are not exactly the stimuli's, or a content is in two of the
            parts train, validation and test.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            header, *rows = [row for row in csv.reader(file, strict=True) if row] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read the split file {path}: {error}") from error
    if header != ["path", "split"] or any(len(row) != 2 for row in rows):
        raise InputError(f"{path}: expected a CSV with the header 'path,split', got '{','.join(header)[:80]}'")
    parts: dict[str, Part] = {}
    for id_, part in rows:
        if id_ in parts:
            raise InputError(f"{path}: '{id_}' comes twice")
        parts[id_] = _part(part, id_, path)
    return check_split(Split(parts), stimuli, source=str(path), advice=": make the split anew with rankqa data split")


def check_split(split: Split, stimuli: Sequence[Stimulus], *, source: str, advice: str = "") -> Split:
    """`split` in the order of the stimuli, if it is one of them.

    Args:
        split: to check.
        stimuli: the rows of a manifest.
        source: where the split comes from, for messages.
        advice: what to do if its ids are not the stimuli's, with its punctuation in front.

    Raises:
        InputError: its ids are not exactly the stimuli's, or a content is in two of the parts train, validation and
            test.
    """
    parts = split.parts
    ids = {stimulus.id for stimulus in stimuli}
    for what, difference in (("is not in the manifest", parts.keys() - ids), ("is missing", ids - parts.keys())):
        if difference:
            more = f" (and {len(difference) - 1} more)" if len(difference) > 1 else ""
            raise InputError(f"{source}: '{min(difference)}' {what}{more}{advice}")
    first: dict[str, Stimulus] = {}
    for stimulus in stimuli:
        if parts[stimulus.id] == "unused":
            continue
        other = first.setdefault(stimulus.content, stimulus)
        if parts[other.id] != parts[stimulus.id]:
            raise InputError(
                f"{source}: content '{stimulus.content}' is in two parts: '{other.id}' in {parts[other.id]}, "
                f"'{stimulus.id}' in {parts[stimulus.id]}"
            )
    return Split({stimulus.id: parts[stimulus.id] for stimulus in stimuli})


def _part(word: str, id_: str, path: str | Path = "manifest") -> Part:
    for part in get_args(Part):
        if word == part:
            return part
    raise InputError(f"{path}: expected train, validation, test or unused for '{id_}', got '{word}'")


def _nearest_filling(contents: list[str], sizes: Counter[str], wanted: float, *, at_most: int) -> list[str]:
    """Contents, taken in order, whose sizes add up to about `wanted`; from one to `at_most` of them."""
    chosen: list[str] = []
    total = 0
    for content in contents:
        if len(chosen) < at_most and abs(total + sizes[content] - wanted) < abs(total - wanted):
            chosen.append(content)
            total += sizes[content]
    return chosen or [min(contents, key=lambda content: sizes[content])]
