"""Ladders: any folder of clouds, each distorted by each type at rising levels, with a manifest.

The target of a stimulus is minus its level. That is a LABEL BY LEVEL, not an opinion: it says which of two distorted
versions of one cloud by one type is worse, and nothing across types or clouds. For pretraining and for rank tests.
"""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from pcqa.cloud import Cloud
from pcqa.distortions import DISTORTIONS, distort
from pcqa.distortions.lengths import require_moderate_lengths
from pcqa.io import FOLDER_SUFFIXES, read_cloud, read_ply, write_ply
from rankqa_datasets.errors import InputError
from rankqa_datasets.stimulus_folder import find_stimuli
from shared_engine import ladders
from shared_engine.ladders import PRISTINE, LadderKind, LadderSet, ladder_seed, make_folder, write_rungs
from shared_engine.worker_processes import processors

LEVELS = tuple(range(1, 1 + max(len(distortion.amounts) for distortion in DISTORTIONS.values())))

README_TEXT = """Cloud ladders, made by rankqa from a folder of clouds.

manifest.csv   path,target,reference,content,recipe,level. The target is minus the level of the distortion, 0 for the
               cloud itself: a label by level, NOT an opinion. It compares clouds of one content and one recipe;
               between recipes or contents it says nothing.
clouds/        PLY: CONTENT/pristine.ply and CONTENT/TYPE_LEVEL.ply, colours in 8 bits. A level that changes nothing,
               or nothing beyond a weaker level, is left out; so are types that change colours where there are none.
ladders.json   the options that the set was made with
"""

KIND = LadderKind(
    title="rankqa cloud ladders",
    one="cloud",
    many="clouds",
    key="clouds",
    folder="clouds",
    suffix=".ply",
    readme=README_TEXT,
    level_column=True,
)


def parse_types(text: str) -> tuple[str, ...]:
    """The types in a list 'a,b,...' in the order of DISTORTIONS, or 'all'.

    Raises:
        UsageProblem: unknown type.
    """
    return ladders.parse_types(text, DISTORTIONS, {})


def build_ladder_set(
    source: str | Path,
    folder: str | Path,
    *,
    types: Sequence[str],
    levels: Sequence[int] = LEVELS,
    limit: int | None = None,
    seed: int = 0,
    workers: int | None = None,
) -> LadderSet:
    """Make a set of ladders, or go on with one that was interrupted.

    A stimulus takes as much space as its cloud as a binary PLY: all levels of all types need about 200 times as much as
    the clouds themselves.

    Args:
        source: folder of clouds, of every format that `pcqa.io` reads but .txt; those in subfolders too.
        folder: where the set goes; empty, missing, or a set of the same options begun before. Files in it are kept.
        types: names of DISTORTIONS, as `parse_types` gives them.
        levels: those of 1 to 7 that a type has; level 0, the cloud itself, always is in the set.
        limit: the first so many clouds in the order of their names; all by default.
        seed: of all random choices; one cloud and type has the same at all levels.
        workers: processes, as many as processors by default. With more than one, a script calls this under
            `if __name__ == "__main__":`.

    Raises:
        InputError: wrong options, no cloud that can be used, a folder with something else in it, or no space.
    """
    source, folder = Path(source), Path(folder)
    levels = sorted(set(levels))
    ladders.check_options(KIND, types, levels, max(LEVELS), limit, seed)
    own_levels = {
        name: [level for level in levels if level <= len(DISTORTIONS[name].amounts)]
        for name in parse_types(",".join(types))
    }
    if not any(own_levels.values()):
        given = ", ".join(map(str, levels))
        counts = ", ".join(f"{name} (1 to {len(DISTORTIONS[name].amounts)})" for name in own_levels)
        raise InputError(f"expected levels that a type has, got {given} for {counts}")
    ladders.require_outside(KIND, source, folder)
    return ladders.build_ladders(
        KIND,
        source,
        folder,
        found=find_stimuli(source, FOLDER_SUFFIXES, what="clouds", limit=limit),
        options={
            "seed": seed,
            "levels": levels,
            "types": {name: DISTORTIONS[name].amounts for name in own_levels},
        },
        levels=own_levels,
        write_pristine=partial(_write_pristine, folder=folder),
        write_ladder=partial(_write_ladder, folder=folder, levels=own_levels, seed=seed),
        workers=workers or processors(),
    )


def _write_pristine(original: tuple[str, Path], *, folder: Path) -> str | None:
    """Level 0 of one (content, file); what is wrong with the file, or None."""
    content, source = original
    try:
        cloud = read_cloud(source)
        require_moderate_lengths(cloud)
    except InputError as error:
        return str(error)
    target = folder / KIND.path(content, PRISTINE)
    if not target.exists():
        make_folder(target.parent)
        _write_cloud(target, cloud)
    elif _digest(read_ply(target)) != _digest(cloud):
        raise InputError(f"{source} is not the cloud that {folder} was begun with: name another folder")
    return None


def _write_ladder(job: tuple[str, str], *, folder: Path, levels: dict[str, list[int]], seed: int) -> list[int] | None:
    """The levels of one (content, type) that are in the set, in order; None where colours are needed and missing."""
    content, name = job
    paths = {level: folder / KIND.path(content, f"{name}_{level}") for level in levels[name]}
    if all(path.exists() for path in paths.values()):
        return list(paths)
    pristine = read_ply(folder / KIND.path(content, PRISTINE))
    if pristine.colors is None and DISTORTIONS[name].needs_colors:
        return None
    own_seed = ladder_seed(seed, content, name)
    return write_rungs(
        paths,
        pristine,
        distort=lambda level: distort(pristine, name, level, seed=own_seed),
        digest=_digest,
        write=_write_cloud,
    )


def _write_cloud(path: Path, cloud: Cloud) -> None:
    try:
        write_ply(cloud, path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; what was there is untouched") from error


def _digest(cloud: Cloud) -> bytes:
    """Of what a file of the cloud holds: colours have 8 bits there."""
    content = hashlib.sha256(cloud.points.dtype.str.encode())
    colors = None if cloud.colors is None else np.rint(cloud.colors * 255).astype(np.uint8)
    for values in (cloud.points, colors, cloud.normals):
        content.update(b"-" if values is None else values.tobytes())
    return content.digest()
