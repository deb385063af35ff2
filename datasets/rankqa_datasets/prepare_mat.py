"""LIVE and LIVE-C: databases whose scores are MATLAB vectors."""

from collections.abc import Sized
from pathlib import Path

from rankqa_datasets.errors import InputError
from rankqa_datasets.release import Opinion, Release
from rankqa_datasets.release_mat import mat_numbers, mat_strings

# The order of the 982 entries of LIVE's vectors: img1.bmp, img2.bmp, ... of each folder in turn.
LIVE_FOLDERS = {"jp2k": 227, "jpeg": 233, "wn": 174, "gblur": 174, "fastfading": 174}
# Shown to train the observers, in a folder of their own.
LIVE_C_TRAINING = {f"t{number}.bmp" for number in range(1, 8)}


def live(release: Release) -> list[Opinion]:
    """LIVE release 2: copies of the references are left out, realigned scores are preferred."""
    columns = release.card.columns
    names = [f"{folder}/img{number}.bmp" for folder, count in LIVE_FOLDERS.items() for number in range(1, count + 1)]
    realigned = release.first("realigned") is not None
    path = release.path("realigned" if realigned else "scores")
    scores = mat_numbers(path, columns["realigned" if realigned else "target"])
    copies = mat_numbers(path, columns["copies"])
    spreads = mat_numbers(path, columns["std"]) if realigned else None
    references = mat_strings(release.path("references"), columns["reference"])
    _same_length(path, names, scores, copies, references, *([] if spreads is None else [spreads]))
    release.notes.append(f"scores are those of {path.name}")
    return [
        Opinion(
            path=release.stimulus(name),
            raw=float(scores[i]),
            reference=release.stimulus(f"refimgs/{references[i]}"),
            content=Path(references[i]).stem,
            std=None if spreads is None else float(spreads[i]),
            recipe=name.partition("/")[0],
        )
        for i, name in enumerate(names)
        if copies[i] == 0
    ]


def live_c(release: Release) -> list[Opinion]:
    """LIVE-C without the seven images that trained the observers."""
    columns = release.card.columns
    names = mat_strings(release.path("names"), columns["name"])
    scores = mat_numbers(release.path("scores"), columns["target"])
    spreads = mat_numbers(release.path("std"), columns["std"])
    _same_length(release.path("scores"), names, scores, spreads)
    return [
        Opinion(path=release.stimulus(name, release.folders("images")), raw=float(score), std=float(spread))
        for name, score, spread in zip(names, scores, spreads, strict=True)
        if name.lower() not in LIVE_C_TRAINING
    ]


def _same_length(path: Path, *vectors: Sized) -> None:
    lengths = [len(vector) for vector in vectors]
    if len(set(lengths)) > 1:
        raise InputError(f"{path}: expected names, scores and references of one length, got {lengths}")
