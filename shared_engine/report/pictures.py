"""Pictures of misjudged stimuli, small and inside the page."""

import base64
import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from rankqa_datasets.errors import InputError
from shared_engine.report.evidence import Evidence, Outcome
from shared_engine.report.stimulus_groups import Misjudged, misjudged

SIDE = 240
"""Longest side in pixels."""

Draw = Callable[[str, Path, int], Image.Image | None]
"""(modality, file, longest side) -> a picture, or None for a modality that has none."""


@dataclass(frozen=True)
class Picture:
    """A stimulus with its picture as a data address, and that of its reference where it has one."""

    stimulus: Misjudged
    source: str
    reference: str | None


def worst_pictures(evidence: Evidence, runs: Sequence[Outcome], count: int, draw: Draw) -> list[Picture]:
    """The stimuli that the runs misjudge most, of those whose files are still there and can be read."""
    found = []
    for one in misjudged(runs, count):
        located = _locate(evidence, one.run)
        if located is None:
            continue
        root, references = located
        source = _picture(one.run, root, one.id, draw)
        if source is not None:
            reference = references.get(one.id)
            found.append(Picture(one, source, _picture(one.run, root, reference, draw) if reference else None))
    return found


def _locate(evidence: Evidence, run: Outcome) -> tuple[Path, dict[str, str]] | None:
    """The folder that paths start from, and path -> reference; None where the manifest is gone.

    A demo set is looked for in the folder of the sweep as well, which may have been moved.
    """
    data = run.config.get("data", {})
    given = Path(str(data.get("manifest", "")))
    for path in (given, *(folder / "demo" / given.parent.name / given.name for folder in evidence.folders)):
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error):
            continue
        root = Path(data["root"]) if data.get("root") else path.parent
        return root, {row["path"]: row["reference"] for row in rows if row.get("path") and row.get("reference")}
    return None


def _picture(run: Outcome, root: Path, name: str, draw: Draw) -> str | None:
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()) or not path.is_file():
        return None
    try:
        image = draw(str(run.config.get("modality", "")), path, SIDE)
    except (InputError, OSError, ValueError):
        return None
    if image is None:
        return None
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
