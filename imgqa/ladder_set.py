"""Ladders: any folder of photographs, each distorted by each type at rising levels, with a manifest.

The target of a stimulus is minus its level. That is a LABEL BY LEVEL, not an opinion: it says which of two images of
one photograph and one type is worse, and nothing across types or photographs. For pretraining and for rank tests.
"""

import hashlib
import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from imgqa.decode import decode_image
from imgqa.distortions import DISTORTIONS, SMALLEST_SIDE, UNORDERED, distort
from imgqa.photo_folder import find_photos
from rankqa_datasets.atomic_file import write_bytes_atomically
from rankqa_datasets.errors import InputError
from shared_engine import ladders
from shared_engine.ladders import PRISTINE, LadderKind, LadderSet, ladder_seed, make_folder, write_rungs
from shared_engine.worker_processes import processors

LEVELS = (1, 2, 3, 4, 5)

README_TEXT = """Image ladders, made by rankqa from a folder of photographs.

manifest.csv   path,target,reference,content,recipe. The target is minus the level of the distortion, 0 for the
               photograph itself: a label by level, NOT an opinion. It compares images of one content and one recipe;
               between recipes or contents it says nothing.
images/        PNG: CONTENT/pristine.png and CONTENT/TYPE_LEVEL.png. A level that changes no pixel, or none beyond a
               weaker level, is left out.
ladders.json   the options that the set was made with
"""

KIND = LadderKind(
    title="rankqa image ladders",
    one="photograph",
    many="photographs",
    key="photos",
    folder="images",
    suffix=".png",
    readme=README_TEXT,
    level_column=False,
)


def parse_types(text: str) -> tuple[str, ...]:
    """The types in a list 'a,b,...' in the order of DISTORTIONS; 'all' is all whose levels are in order.

    Raises:
        UsageProblem: unknown type, or one whose level numbers are not in the order of strength.
    """
    return ladders.parse_types(text, DISTORTIONS, UNORDERED)


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
    ladders.check_options(KIND, types, levels, max(LEVELS), limit, seed)
    if crop is not None and crop < SMALLEST_SIDE:
        raise InputError(f"expected a crop of at least {SMALLEST_SIDE} pixels, got {crop}")
    types = parse_types(",".join(types))
    ladders.require_outside(KIND, source, folder)
    return ladders.build_ladders(
        KIND,
        source,
        folder,
        found=find_photos(source, limit),
        options={
            "seed": seed,
            "crop": crop,
            "levels": levels,
            "types": {name: DISTORTIONS[name].amounts for name in types},
        },
        levels=dict.fromkeys(types, levels),
        write_pristine=partial(_write_pristine, folder=folder, crop=crop),
        write_ladder=partial(_write_ladder, folder=folder, levels=levels, seed=seed),
        workers=workers or processors(),
    )


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
    target = folder / KIND.path(content, PRISTINE)
    if not target.exists():
        make_folder(target.parent)
        _write_png(target, image)
    elif not np.array_equal(decode_image(target), image):
        raise InputError(f"{source} is not the photograph that {folder} was begun with: name another folder")
    return None


def _write_ladder(job: tuple[str, str], *, folder: Path, levels: Sequence[int], seed: int) -> list[int]:
    """The levels of one (content, type) that are in the set, in order; files that are there already are kept."""
    content, name = job
    paths = {level: folder / KIND.path(content, f"{name}_{level}") for level in levels}
    if all(path.exists() for path in paths.values()):
        return list(paths)
    pristine = decode_image(folder / KIND.path(content, PRISTINE))
    own_seed = ladder_seed(seed, content, name)
    return write_rungs(
        paths,
        pristine,
        distort=lambda level: distort(pristine, name, level, seed=own_seed),
        digest=lambda image: hashlib.sha256(image.tobytes()).digest(),
        write=_write_png,
    )


def _write_png(path: Path, image: np.ndarray) -> None:
    file = io.BytesIO()
    # Compressing harder would take most of the time.
    Image.fromarray(image).save(file, format="PNG", compress_level=1)
    write_bytes_atomically(path, file.getvalue())
