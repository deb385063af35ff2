"""Ladders: any folder of photographs, each distorted by each type at rising levels, with a manifest.

The target of a stimulus is minus its level. That is a LABEL BY LEVEL, not an opinion: it says which of two images of
one photograph and one type is worse, and nothing across types or photographs. For pretraining and for rank tests.
"""

import csv
import io
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imgqa.decode import decode_image
from imgqa.distortions import DISTORTIONS, SMALLEST_SIDE, UNORDERED, distort
from imgqa.photo_folder import find_photos
from rankqa_datasets.atomic_file import write_bytes_atomically, write_text_atomically
from rankqa_datasets.errors import InputError
from shared_engine.names import UsageProblem, closest
from shared_engine.worker_processes import processors, worker_processes

MARKER, MANIFEST, README, IMAGES = "ladders.json", "manifest.csv", "README.txt", "images"
TITLE = "rankqa image ladders"
PRISTINE = "pristine"
LEVELS = (1, 2, 3, 4, 5)

README_TEXT = """Image ladders, made by rankqa from a folder of photographs.

manifest.csv   path,target,reference,content,recipe. The target is minus the level of the distortion, 0 for the
               photograph itself: a label by level, NOT an opinion. It compares images of one content and one recipe;
               between recipes or contents it says nothing.
images/        PNG: CONTENT/pristine.png and CONTENT/TYPE_LEVEL.png. A level that changes no pixel, or none beyond a
               weaker level, is left out.
ladders.json   the options that the set was made with
"""


@dataclass(frozen=True)
class LadderSet:
    """What was made.

    Attributes:
        manifest: its path.
        photos: number of photographs in the set.
        stimuli: number of rows, the photographs among them.
        twins: images left out because they equal the photograph or a weaker level.
        left_out: one line for each photograph that could not be used.
    """

    manifest: Path
    photos: int
    stimuli: int
    twins: int
    left_out: tuple[str, ...]


def parse_types(text: str) -> tuple[str, ...]:
    """The types in a list 'a,b,...' in the order of DISTORTIONS; 'all' is all whose levels are in order.

    Raises:
        UsageProblem: unknown type, or one whose level numbers are not in the order of strength.
    """
    if text.strip() == "all":
        return tuple(name for name in DISTORTIONS if name not in UNORDERED)
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in DISTORTIONS:
            raise UsageProblem(f"unknown distortion type {name!r}: {closest(name, DISTORTIONS)}")
        if name in UNORDERED:
            raise UsageProblem(f"no ladder can be made of {name}: {UNORDERED[name]}")
    return tuple(name for name in DISTORTIONS if name in names)


def build_ladder_set(
    source: str | Path,
    folder: str | Path,
    *,
    types: Sequence[str],
    levels: Sequence[int] = LEVELS,
    limit: int | None = None,
    seed: int = 0,
    crop: int | None = None,
    workers: int | None = None,
) -> LadderSet:
    """Make a set of ladders, or go on with one that was interrupted.

    Args:
        source: folder of photographs; those in subfolders too.
        folder: where the set goes; empty, missing, or a set of the same options begun before. Files in it are kept.
        types: names of DISTORTIONS, as `parse_types` gives them.
        levels: from 1 to 5; level 0, the photograph, always is in the set.
        limit: the first so many photographs in the order of their names; all by default.
        seed: of all random choices; one photograph and type has the same at all levels.
        crop: side in pixels of a square cut from the middle; the whole photograph by default.
        workers: processes, as many as processors by default. With more than one, a script calls this under
            `if __name__ == "__main__":`.

    Raises:
        InputError: wrong options, no photograph that can be used, a folder with something else in it, or no space.
    """
    source, folder = Path(source), Path(folder)
    levels = sorted(set(levels))
    _check_options(types, levels, limit, seed, crop)
    types = parse_types(",".join(types))
    if folder.resolve().is_relative_to(source.resolve()):
        raise InputError(f"expected an output folder outside of the photographs' {source}, got {folder}")
    photos = find_photos(source, limit)
    options = {
        "seed": seed,
        "crop": crop,
        "levels": levels,
        "types": {name: list(DISTORTIONS[name].amounts) for name in types},
    }
    _claim(folder, options, list(photos))

    with worker_processes(workers or processors()) as each:
        write = partial(_write_pristine, folder=folder, crop=crop)
        faults = dict(zip(photos, each(write, list(photos.items()), "photographs"), strict=True))
        contents = [content for content in photos if faults[content] is None]
        if not contents:
            first = next(iter(faults.values()))
            raise InputError(f"none of the {len(photos)} photographs below {source} can be used: {first}")
        jobs = [(content, name) for content in contents for name in types]
        write = partial(_write_ladder, folder=folder, levels=levels, seed=seed)
        made = dict(zip(jobs, each(write, jobs, "ladders"), strict=True))
    rows = []
    for content in contents:
        reference = _image_name(content, PRISTINE)
        rows.append([reference, "0", reference, content, PRISTINE])
        rows += [
            [_image_name(content, f"{name}_{level}"), str(-level), reference, content, name]
            for name in types
            for level in made[content, name]
        ]
    _write_manifest(folder / MANIFEST, rows)
    write_text_atomically(folder / README, README_TEXT)
    return LadderSet(
        manifest=folder / MANIFEST,
        photos=len(contents),
        stimuli=len(rows),
        twins=len(jobs) * len(levels) + len(contents) - len(rows),
        left_out=tuple(fault for fault in faults.values() if fault is not None),
    )


def _check_options(types: Sequence[str], levels: Sequence[int], limit: int | None, seed: int, crop: int | None) -> None:
    if not types:
        raise InputError("expected at least one distortion type, got none")
    if not levels or not set(levels) <= set(LEVELS):
        raise InputError(f"expected levels from 1 to 5, got {', '.join(map(str, levels)) or 'none'}")
    if limit is not None and limit < 1:
        raise InputError(f"expected a limit of at least 1 photograph, got {limit}")
    if seed < 0:
        raise InputError(f"expected a seed of at least 0, got {seed}")
    if crop is not None and crop < SMALLEST_SIDE:
        raise InputError(f"expected a crop of at least {SMALLEST_SIDE} pixels, got {crop}")


def _claim(folder: Path, options: dict[str, Any], photos: list[str]) -> None:
    """Make the folder ours, with its marker, unless something else is in it.

    More photographs than before are welcome (a greater limit, a damaged one replaced); fewer would leave files that no
    manifest names.
    """
    marker = folder / MARKER
    if folder.exists() and not folder.is_dir():
        raise InputError(f"expected a folder for the ladders, {folder} is a file: name another")
    if folder.is_dir() and any(folder.iterdir()):
        if not marker.exists():
            first = min(entry.name for entry in folder.iterdir())
            raise InputError(f"expected an empty folder or a set of ladders, {folder} holds '{first}': name another")
        try:
            found = json.loads(marker.read_text(encoding="utf-8"))
            same, before = found["options"] == options and found["title"] == TITLE, set(found["photos"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"cannot read {marker}: {error}; remove the folder or name another") from error
        if not same:
            raise InputError(f"{folder} holds ladders with other options ({marker}): name another folder or remove it")
        gone = sorted(before - set(photos))
        if gone:
            raise InputError(
                f"{folder} holds ladders of {len(before)} photographs, '{gone[0]}' is not among those given now: "
                "name another folder or remove it"
            )
    try:
        (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}") from error
    content = {"title": TITLE, "options": options, "photos": photos}
    write_text_atomically(marker, json.dumps(content, indent=2) + "\n")


def _write_pristine(photo: tuple[str, Path], *, folder: Path, crop: int | None) -> str | None:
    """Level 0 of one (content, file); what is wrong with the file, or None."""
    content, source = photo
    try:
        image = decode_image(source)
    except InputError as error:
        return str(error)
    height, width = image.shape[:2]
    side = crop or SMALLEST_SIDE
    if min(height, width) < side:
        return f"{source} is {width} x {height} pixels: expected at least {side} x {side}"
    if crop is not None:
        top, left = (height - crop) // 2, (width - crop) // 2
        image = image[top : top + crop, left : left + crop]
    target = folder / _image_name(content, PRISTINE)
    if not target.exists():
        _write_png(target, image)
    elif not np.array_equal(decode_image(target), image):
        raise InputError(f"{source} is not the photograph that {folder} was begun with: name another folder")
    return None


def _write_ladder(job: tuple[str, str], *, folder: Path, levels: Sequence[int], seed: int) -> list[int]:
    """The levels of one (content, type) that are in the set, in order; files that are there already are kept."""
    content, name = job
    paths = {level: folder / _image_name(content, f"{name}_{level}") for level in levels}
    if all(path.exists() for path in paths.values()):
        return list(paths)
    pristine = decode_image(folder / _image_name(content, PRISTINE))
    parts = [seed, zlib.crc32(content.encode()), zlib.crc32(name.encode())]
    own_seed = int(np.random.SeedSequence(parts).generate_state(1)[0])
    images = {0: pristine}
    for level, path in paths.items():
        image = distort(pristine, name, level, seed=own_seed)
        if any(np.array_equal(image, other) for other in images.values()):
            continue
        images[level] = image
        if not path.exists():
            _write_png(path, image)
    return list(images)[1:]


def _image_name(content: str, name: str) -> str:
    return f"{IMAGES}/{content}/{name}.png"


def _write_png(path: Path, image: np.ndarray) -> None:
    file = io.BytesIO()
    # Compressing harder would take most of the time.
    Image.fromarray(image).save(file, format="PNG", compress_level=1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {path.parent}: {error.strerror}") from error
    write_bytes_atomically(path, file.getvalue())


def _write_manifest(path: Path, rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "target", "reference", "content", "recipe"])
    writer.writerows(rows)
    write_text_atomically(path, text.getvalue())
