"""The folder of a demo set: built once, reused when whole, never mixed with other people's files."""

import csv
import io
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rankqa_datasets.atomic_file import write_text_atomically
from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import read_manifest
from rankqa_datasets.raters import noise_ceiling, simulate_ratings

MARKER = "demo.json"
STIMULI, REFERENCES = "stimuli", "references"
OURS = {MARKER, STIMULI, REFERENCES, "manifest.csv", "latent.csv", "README.txt"}

README = """{title}

Procedural stimuli with SIMULATED raters, made by rankqa to try the program out and to test it. Never evidence about
real quality: the "opinions" are computed from the recipe of each stimulus and from its content.

manifest.csv   path,target,reference,content,target_std,votes,recipe,split; targets are mean opinion scores, 1 to 5,
               higher is better; the contents of the test part are in no other part
latent.csv     path,quality: the quality from 0 to 1 that the simulated raters saw through their noise
demo.json      the options that the set was made with

Quality: {formula}
Raters: rankqa_datasets.raters (subject bias, sensitivity, inconsistency; votes 1 to 5).
Noise ceiling: SROCC of the targets of the test part with the true quality is {ceiling:.3f}.
"""


@dataclass(frozen=True)
class DemoStimulus:
    """One stimulus that a demo set has written: names relative to the folder, true quality from 0 to 1."""

    path: str
    reference: str
    content: str
    recipe: str
    split: str
    quality: float


def build_demo_folder(
    folder: str | Path,
    options: Mapping[str, int],
    *,
    title: str,
    formula: str,
    write_stimuli: Callable[[Path], Sequence[DemoStimulus]],
) -> Path:
    """The manifest of a demo set, built unless a whole set with the same options is there.

    Args:
        folder: made if missing. An unfinished set in it is built again.
        options: what the set depends on, `seed` among it.
        title: first line of README.txt.
        formula: how quality was computed, for README.txt.
        write_stimuli: writes files under the folder's `stimuli` and `references`, and names them.

    Raises:
        InputError: the folder holds other files or a set with other options, or it cannot be written.
    """
    folder = Path(folder)
    identity: dict[str, object] = {"title": title, "options": dict(options)}
    manifest = folder / "manifest.csv"
    if _is_whole(folder, identity):
        return manifest
    try:
        for name in (STIMULI, REFERENCES):
            shutil.rmtree(folder / name, ignore_errors=True)
            (folder / name).mkdir(parents=True)
        _write_json(folder / MARKER, identity | {"complete": False})
        stimuli = write_stimuli(folder)
        quality = np.array([stimulus.quality for stimulus in stimuli])
        ratings = simulate_ratings(quality, num_raters=30, seed=options["seed"])
        test = np.array([stimulus.split == "test" for stimulus in stimuli])
        ceiling = noise_ceiling(ratings.target[test], quality[test])
        header = ["path", "target", "reference", "content", "target_std", "votes", "recipe", "split"]
        rows = [
            [s.path, f"{target:.4f}", s.reference, s.content, f"{std:.4f}", str(votes), s.recipe, s.split]
            for s, target, std, votes in zip(stimuli, ratings.target, ratings.target_std, ratings.votes, strict=True)
        ]
        _write_csv(manifest, header, rows)
        _write_csv(folder / "latent.csv", ["path", "quality"], [[s.path, f"{s.quality:.6f}"] for s in stimuli])
        readme = README.format(title=title, formula=formula, ceiling=ceiling)
        write_text_atomically(folder / "README.txt", readme)
        _write_json(folder / MARKER, identity | {"complete": True, "stimuli": len(stimuli)})
    except OSError as error:
        raise InputError(f"cannot write the demo set in {folder}: {error.strerror or error}") from error
    return manifest


def demo_noise_ceiling(manifest: str | Path, *, part: str = "test") -> float:
    """SROCC of a demo set's targets with the true quality on one part: the best that a model can reach.

    Raises:
        InputError: the manifest is not a demo set's.
    """
    stimuli = [stimulus for stimulus in read_manifest(manifest).stimuli if stimulus.split == part]
    latent = Path(manifest).with_name("latent.csv")
    try:
        with latent.open(encoding="utf-8", newline="") as file:
            quality = {row["path"]: float(row["quality"]) for row in csv.DictReader(file)}
        true = np.array([quality[stimulus.id] for stimulus in stimuli])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"expected the manifest of a demo set with {latent} beside it: {error}") from error
    return noise_ceiling(np.array([stimulus.target for stimulus in stimuli]), true)


def _is_whole(folder: Path, identity: Mapping[str, object]) -> bool:
    """Whether the set is there; False if it may be built here.

    Raises:
        InputError: the folder holds something else.
    """
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise InputError(f"expected a folder for the demo set, {folder} is a file: name another")
    names = {entry.name for entry in folder.iterdir()}
    if not names:
        return False
    foreign = sorted(name for name in names - OURS if not name.startswith(f".{MARKER}"))
    if foreign or MARKER not in names:
        what = foreign[0] if foreign else sorted(names)[0]
        raise InputError(f"expected an empty folder or a demo set, {folder} holds other files ('{what}'): name another")
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        found = {"title": marker["title"], "options": marker["options"]}
        complete = marker["complete"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"cannot read {folder / MARKER}: {error}; remove the folder or name another") from error
    if not complete:
        return False
    if found != identity:
        came = ", ".join(f"{name}={value}" for name, value in found["options"].items())
        raise InputError(f"{folder} holds '{found['title']}' with {came}: name another folder or remove it")
    try:
        return len(read_manifest(folder / "manifest.csv").stimuli) == marker["stimuli"]
    except InputError:
        return False


def _write_json(path: Path, content: Mapping[str, object]) -> None:
    write_text_atomically(path, json.dumps(content, indent=2) + "\n")


def _write_csv(path: Path, header: list[str], rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text_atomically(path, text.getvalue())
