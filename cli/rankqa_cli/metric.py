"""`rankqa metric`."""

import csv
import json
import math
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click
from tqdm import tqdm

from rankqa_datasets.errors import InputError
from shared_engine.names import UsageProblem, closest


@dataclass(frozen=True)
class Pair:
    """A distorted file and its reference; None where there is none."""

    name: str
    path: Path
    reference: Path | None


@click.group()
def metric() -> None:
    """Full-reference metrics of files; higher is better for all of them."""


@metric.command()
@click.argument("reference", required=False, type=click.Path(path_type=Path), metavar="REF")
@click.argument("distorted", required=False, type=click.Path(path_type=Path), metavar="DIST")
@click.option("--manifest", type=click.Path(path_type=Path, dir_okay=False), help="A manifest with references.")
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), help="Folder that its paths start from.")
@click.option("--metrics", "names", default="psnr,ssim", show_default=True, help="Names with commas, or 'all'.")
@click.option("--jobs", type=click.IntRange(min=1), help="Pairs at the same time.  [default: the number of cores]")
@click.option("--json", "as_json", is_flag=True, help="JSON in place of CSV.")
def image(
    reference: Path | None,
    distorted: Path | None,
    manifest: Path | None,
    root: Path | None,
    names: str,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Compare the image DIST with its reference REF, or all images of the folder DIST with those of REF.

    In folders, the reference of `a/b.jpg` is `a/b.jpg` or, if there is none, the only file `a/b.*`. With --manifest the
    pairs are those of its rows. Names of metrics: rankqa list metrics.

    Prints `path` and one column a metric on standard output. Higher is better: GMSD and MDSI, which are distances, are
    printed with a minus sign. PSNR of equal images is inf, in JSON null. A pair that cannot be compared is named on
    standard error, the others are compared all the same, and the exit code is then 1.
    """
    metrics = _metric_names(names)
    pairs = _pairs(reference, distorted, manifest, root)
    results, failures = _score_all(pairs, metrics, jobs or os.cpu_count() or 1)
    if as_json:
        rows = [{"path": name} | {k: v if math.isfinite(v) else None for k, v in s.items()} for name, s in results]
        click.echo(json.dumps(rows, indent=2, allow_nan=False))
    else:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(["path", *metrics])
        writer.writerows([name, *map(repr, scores.values())] for name, scores in results)
    if failures:
        raise click.ClickException(f"{failures} of {len(pairs)} pairs could not be compared")


def _metric_names(text: str) -> list[str]:
    from imgqa.metrics.table import METRICS

    names = list(METRICS) if text == "all" else [name.strip() for name in text.split(",")]
    for name in names:
        if name not in METRICS:
            raise UsageProblem(f"unknown metric {name!r}: {closest(name, METRICS)}")
    return list(dict.fromkeys(names))


def _pairs(reference: Path | None, distorted: Path | None, manifest: Path | None, root: Path | None) -> list[Pair]:
    if manifest is not None:
        from rankqa_datasets.manifest import read_manifest

        if reference is not None:
            raise UsageProblem("expected REF DIST or --manifest, got both")
        return [Pair(s.id, s.path, s.reference) for s in read_manifest(manifest, root=root).stimuli]
    if root is not None:
        raise UsageProblem("--root goes with --manifest")
    if reference is None or distorted is None:
        raise UsageProblem("expected two files or two folders: rankqa metric image REF DIST, or --manifest CSV")
    for path in (reference, distorted):
        if not path.exists():
            raise InputError(f"no such file or folder: {path}")
    if reference.is_dir() != distorted.is_dir():
        kinds = ["a folder" if path.is_dir() else "a file" for path in (reference, distorted)]
        raise UsageProblem(f"expected two files or two folders, got {kinds[0]} {reference} and {kinds[1]} {distorted}")
    if not reference.is_dir():
        return [Pair(str(distorted), distorted, reference)]
    return _pairs_of_folders(reference, distorted)


def _pairs_of_folders(reference: Path, distorted: Path) -> list[Pair]:
    references, by_stem = set(_image_files(reference)), {}
    for file in references:
        by_stem.setdefault(file.with_suffix(""), []).append(file)
    pairs = []
    for file in _image_files(distorted):
        same_stem = by_stem.get(file.with_suffix(""), [])
        found = file if file in references else same_stem[0] if len(same_stem) == 1 else None
        pairs.append(Pair(str(distorted / file), distorted / file, None if found is None else reference / found))
    return pairs


def _image_files(folder: Path) -> list[Path]:
    """Sorted, relative to the folder."""
    from imgqa.modality import IMAGE

    found = sorted(f for f in folder.rglob("*") if f.is_file() and f.suffix.lower() in IMAGE.suffixes)
    if not found:
        raise InputError(f"no file with ending {', '.join(IMAGE.suffixes)} below {folder}")
    return [file.relative_to(folder) for file in found]


def _score_all(pairs: list[Pair], metrics: list[str], jobs: int) -> tuple[list[tuple[str, dict[str, float]]], int]:
    """Names and scores in the order of the pairs, and how many pairs failed."""
    import torch

    from imgqa.metrics.file_pair import score_files

    def score(pair: Pair) -> dict[str, float] | InputError:
        try:
            if pair.reference is None:
                raise InputError(f"{pair.name} has no reference, or not one only, which full-reference metrics need")
            return score_files(pair.path, pair.reference, metrics)
        except InputError as error:
            return error

    results, failures = [], 0
    # The pairs are the parallel work. Decoding and torch leave the interpreter's lock, so threads are enough.
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads // min(jobs, len(pairs))))
    try:
        with ThreadPoolExecutor(jobs) as pool:
            for pair, outcome in zip(pairs, tqdm(pool.map(score, pairs), total=len(pairs), disable=None), strict=True):
                if isinstance(outcome, InputError):
                    failures += 1
                    tqdm.write(f"Error: {outcome}", file=sys.stderr)
                else:
                    results.append((pair.name, outcome))
    finally:
        torch.set_num_threads(threads)
    return results, failures
