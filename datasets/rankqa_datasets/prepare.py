"""From the folder of an official release to a manifest and the splits that people use."""

import csv
import io
import math
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rankqa_datasets.atomic_file import write_text_atomically
from rankqa_datasets.card import Card, read_card
from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import read_manifest
from rankqa_datasets.prepare_cloud_sheets import icip2020, irpc, siat
from rankqa_datasets.prepare_clouds import basics, ls_pcqa, mpccd, pseudo_ls_pcqa, sjtu, wpc, wpc2
from rankqa_datasets.prepare_csv import agiqa, biq2021, flive, kadid, koniq, pieapp
from rankqa_datasets.prepare_mat import live, live_c
from rankqa_datasets.prepare_txt import pipal, tid
from rankqa_datasets.prepare_xlsx import bid, csiq, spaq
from rankqa_datasets.published_folds import published_folds
from rankqa_datasets.release import Opinion, Release
from rankqa_datasets.split import Split, folds_by_content, split_by_content, split_from_column, write_split
from rankqa_datasets.stimulus import PARTS, Stimulus

READERS: dict[str, Callable[[Release], list[Opinion]]] = {
    "agiqa3k": agiqa,
    "basics": basics,
    "bid": bid,
    "biq2021": biq2021,
    "csiq": csiq,
    "flive": flive,
    "icip2020": icip2020,
    "irpc-rcolor": irpc,
    "irpc-rmesh": irpc,
    "irpc-rpoint": irpc,
    "kadid10k": kadid,
    "koniq10k": koniq,
    "live": live,
    "livec": live_c,
    "ls-pcqa-full": pseudo_ls_pcqa,
    "ls-pcqa-i": ls_pcqa,
    "mpccd": mpccd,
    "pieapp": pieapp,
    "pipal": pipal,
    "siat-pcqd": siat,
    "sjtu-pcqa": sjtu,
    "spaq": spaq,
    "tid2008": tid,
    "tid2013": tid,
    "wpc": wpc,
    "wpc2": wpc2,
}
COLUMNS = ("path", "target", "reference", "content", "target_std", "votes", "recipe", "split", "subset")
SEEDS = range(10)
TEST_SHARE = 0.2


@dataclass(frozen=True)
class Prepared:
    """What was written, and what the user must hear about it: choices made, counts that differ from the card."""

    manifest: Path
    splits: tuple[Path, ...]
    stimuli: int
    contents: int
    notes: tuple[str, ...]


def prepare(
    name: str,
    root: str | Path,
    *,
    out: str | Path | None = None,
    files: bool = True,
    folds: str | Path | None = None,
) -> Prepared:
    """Write the manifest of an official release, and its splits into a folder beside it.

    The splits are the official one (`official.csv`) and the folds that papers use (`fold-1.csv` and so on: published
    lists where the release or the user has them, else as many folds by content as are published), or, where there is
    neither, ten divisions 80/20 by content (`seed_0.csv` to `seed_9.csv`).

    Args:
        name: of a card.
        root: the folder of the release; paths in the manifest start from it.
        out: the manifest; by default `manifest.csv` in `root`.
        files: whether the stimuli must be there. False makes a manifest of the tables alone, whose paths are the names
            in them: enough for features and for baselines on recipes.
        folds: folder of the published lists `train_k.csv` and `test_k.csv`; by default where the card says.

    Raises:
        InputError: no such card, a file of the release is missing or not as expected, or `out` is there already.
    """
    card, folder = read_card(name), Path(root)
    manifest_path = folder / "manifest.csv" if out is None else Path(out)
    split_folder = manifest_path.with_name(f"{manifest_path.stem}_splits")
    release = Release(folder, card, files=files, lists=None if folds is None else Path(folds))
    for path in (manifest_path, split_folder):
        if path.exists():
            raise InputError(f"{path} exists already; nothing is overwritten")
    opinions = READERS[name](release)
    _no_file_missing(release)
    text = _manifest_text(card, opinions)
    _make_folder(manifest_path.parent)
    write_text_atomically(manifest_path, text)
    try:
        stimuli = read_manifest(manifest_path, root=folder, files=files).stimuli
        splits = _splits(release, opinions, stimuli)
        _make_folder(split_folder)
        for file_name, split in splits.items():
            write_split(split, split_folder / file_name)
    except BaseException:
        # What does not hold, or is half of it, must not stay behind and be taken for the real thing.
        manifest_path.unlink(missing_ok=True)
        shutil.rmtree(split_folder, ignore_errors=True)
        raise
    return Prepared(
        manifest=manifest_path,
        splits=tuple(split_folder / file_name for file_name in splits),
        stimuli=len(stimuli),
        contents=len({stimulus.content for stimulus in stimuli}),
        notes=(*release.notes, *_differences(card, opinions, stimuli)),
    )


def _no_file_missing(release: Release) -> None:
    missing = list(dict.fromkeys(release.missing))
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(
            f"{release.card.title}: expected '{missing[0]}'{more} in {release.root} (a manifest of the tables alone: "
            f"--without-files): get it at {release.card.homepage}"
        )


def _manifest_text(card: Card, opinions: list[Opinion]) -> str:
    """The CSV, with the columns that are not empty throughout."""
    rows = [_row(card, opinion) for opinion in opinions]
    columns = [column for column in COLUMNS if any(row[column] for row in rows)] or list(COLUMNS[:2])
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(card: Card, opinion: Opinion) -> dict[str, str]:
    """The border: from here on higher is better."""
    if not math.isfinite(opinion.raw):
        raise InputError(f"{card.title}: expected a finite score for '{opinion.path}', got {opinion.raw}")
    votes = card.votes if opinion.votes is None else opinion.votes
    return {
        "path": opinion.path,
        "target": _digits(card.target(opinion.raw)),
        "reference": opinion.reference or "",
        "content": opinion.content or "",
        "target_std": "" if opinion.std is None else _digits(opinion.std * card.std_factor),
        "votes": "" if votes is None else str(votes),
        "recipe": opinion.recipe or "",
        "split": opinion.part or "",
        "subset": opinion.subset or "",
    }


def _digits(value: float) -> str:
    """Ten digits: more than any release has, and 1 - 0.062 is 0.938 again."""
    return f"{value:.10g}"


def _splits(release: Release, opinions: list[Opinion], stimuli: tuple[Stimulus, ...]) -> dict[str, Split]:
    card, official = release.card, split_from_column(stimuli)
    splits = {"official.csv": official} if card.split == "official" and official is not None else {}
    splits |= {f"fold-{number}.csv": fold for number, fold in enumerate(_folds(release, opinions, stimuli), start=1)}
    by_seed = {f"seed_{seed}.csv": seed for seed in SEEDS} if not splits else {}
    return splits | {name: split_by_content(stimuli, test=TEST_SHARE, seed=seed) for name, seed in by_seed.items()}


def _folds(release: Release, opinions: list[Opinion], stimuli: tuple[Stimulus, ...]) -> list[Split]:
    folds = release.card.folds
    if folds is None and release.lists is None:
        return []
    published = published_folds(release, opinions, stimuli)
    if published is not None:
        return published
    count = min(folds or 0, len({stimulus.content for stimulus in stimuli}))
    if "folds" in release.card.files:
        release.notes.append(f"no published lists test_1.csv ... were found: {count} folds by content were made")
    return folds_by_content(stimuli, folds=count)


def _differences(card: Card, opinions: list[Opinion], stimuli: tuple[Stimulus, ...]) -> list[str]:
    """Counts that are not the card's, and scores outside of its scale."""
    parts = Counter(stimulus.split for stimulus in stimuli)
    counts = [("stimuli", card.stimuli, len(stimuli)), ("contents", card.contents, len({s.content for s in stimuli}))]
    counts += [(f"stimuli of the part {part}", card.parts.get(part, 0), parts[part]) for part in PARTS if card.parts]
    notes = [f"expected {expected} {what}, got {got}" for what, expected, got in counts if expected != got]
    low = -math.inf if card.low is None else card.low
    high = math.inf if card.high is None else card.high
    outside = sum(not low <= opinion.raw <= high for opinion in opinions)
    if outside:
        notes.append(f"{outside} raw scores lie outside of the card's scale {card.scale}")
    return notes


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}") from None
