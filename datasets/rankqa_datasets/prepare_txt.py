"""TID2008, TID2013 and PIPAL: databases whose scores are lines of text."""

import re
from pathlib import Path

import numpy as np

from rankqa_datasets.errors import InputError
from rankqa_datasets.release import Opinion, Release
from rankqa_datasets.release_text import text_lines

TID_NAME = re.compile(r"i(\d\d)_(\d\d)_(\d)\.bmp", re.IGNORECASE)
PIPAL_NAME = re.compile(r"(.+)_(\d\d_\d\d)\.\w+")
# The files have five decimals.
ROUNDING = 1e-4


def tid(release: Release) -> list[Opinion]:
    """TID2008 and TID2013: `score name` a line; the name says reference, type and level."""
    path = release.path("scores")
    scores, names = [], []
    for number, line in enumerate(text_lines(path), start=1):
        score, *name = line.split()
        scores.append(_number(score, path, number))
        names.append(" ".join(name))
    spreads = _spreads(release, scores)
    opinions = []
    for name, score, spread in zip(names, scores, spreads, strict=True):
        match = TID_NAME.fullmatch(name)
        if match is None:
            raise InputError(f"{path}: expected names such as i01_01_1.bmp, got '{name}'")
        reference, kind, level = match.groups()
        opinions.append(
            Opinion(
                path=release.stimulus(f"distorted_images/{name}"),
                raw=score,
                reference=release.stimulus(f"reference_images/I{reference}.BMP"),
                content=f"I{reference}",
                std=spread,
                recipe=release.recipe(kind, level),
            )
        )
    return opinions


def pipal(release: Release) -> list[Opinion]:
    """PIPAL: a file of `name,elo` lines for each reference."""
    folder = release.path("scores")
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise InputError(
            f"{release.card.title}: expected files such as A0001.txt in {folder}; see {release.card.homepage}"
        )
    references, images = release.folders("references"), release.folders("images")
    opinions = []
    for path in files:
        for number, line in enumerate(text_lines(path), start=1):
            name, _, score = line.partition(",")
            match = PIPAL_NAME.fullmatch(name)
            if match is None or match.group(1) != path.stem:
                raise InputError(f"{path}: expected names such as {path.stem}_00_00.bmp, got '{name}'")
            opinions.append(
                Opinion(
                    path=release.stimulus(name, images),
                    raw=_number(score, path, number),
                    reference=release.stimulus(f"{path.stem}.bmp", references),
                    content=path.stem,
                    recipe=match.group(2),
                )
            )
    return opinions


def _spreads(release: Release, scores: list[float]) -> list[float | None]:
    """The standard deviations of the observers, or None for each where the file does not hold them."""
    if release.first("std") is None:
        release.notes.append(f"no {release.card.files['std']}: target_std stays empty")
        return [None] * len(scores)
    path = release.path("std")
    spreads = [_number(line, path, number) for number, line in enumerate(text_lines(path), start=1)]
    if len(spreads) != len(scores):
        raise InputError(
            f"{path}: expected {len(scores)} lines as in {release.path('scores').name}, got {len(spreads)}"
        )
    if np.any(np.array(spreads) < least_std_of_whole_votes(np.array(scores)) - ROUNDING):
        release.notes.append(f"{path.name} holds standard errors, not spreads of opinions: target_std stays empty")
        return [None] * len(scores)
    return list(spreads)


def least_std_of_whole_votes(means: np.ndarray) -> np.ndarray:
    """The least standard deviation that whole-number votes with these means can have.

    A share f of the votes one above the rest, f being the fraction of the mean, gives sqrt(f (1 - f)).
    """
    fraction = means - np.floor(means)
    return np.sqrt(fraction * (1 - fraction))


def _number(text: str, path: Path, line: int) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{path}: line {line}: expected a number, got '{text[:80]}'") from None
