"""`rankqa metric`."""

import csv
import json
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from rankqa_cli.metric_pairs import Pair, find_pairs
from rankqa_datasets.errors import InputError
from shared_engine.names import UsageProblem, closest

if TYPE_CHECKING:
    from pcqa.metrics import Score
    from pcqa.metrics.table import Metric

FOLDER_OR_FILE = click.Path(path_type=Path)
PAIR_OPTIONS = (
    click.argument("reference", required=False, type=FOLDER_OR_FILE, metavar="REF"),
    click.argument("distorted", required=False, type=FOLDER_OR_FILE, metavar="DIST"),
    click.option("--manifest", type=click.Path(path_type=Path, dir_okay=False), help="A manifest with references."),
    click.option("--root", type=click.Path(path_type=Path, file_okay=False), help="Folder that its paths start from."),
    click.option("--jobs", type=click.IntRange(min=1), help="Pairs at the same time.  [default: the number of cores]"),
)


def _pair_options(command):
    for option in reversed(PAIR_OPTIONS):
        command = option(command)
    return command


@click.group()
def metric() -> None:
    """Full-reference metrics of files; higher is better for all of them."""


@metric.command(short_help="Compare images with their references.")
@_pair_options
@click.option("--metrics", "names", default="psnr,ssim", show_default=True, help="Names with commas, or 'all'.")
@click.option("--json", "as_json", is_flag=True, help="JSON in place of CSV.")
def image(
    reference: Path | None,
    distorted: Path | None,
    manifest: Path | None,
    root: Path | None,
    jobs: int | None,
    names: str,
    as_json: bool,
) -> None:
    """Compare the image DIST with its reference REF, or all images of the folder DIST with those of REF.

    In folders, the reference of `a/b.jpg` is `a/b.jpg` or, if there is none, the only file `a/b.*`. With --manifest the
    pairs are those of its rows. Names of metrics: rankqa list metrics.

    Prints `path` and one column a metric on standard output. Higher is better: GMSD and MDSI, which are distances, are
    printed with a minus sign. PSNR of equal images is inf, in JSON null. A pair that cannot be compared is named on
    standard error, the others are compared all the same, and the exit code is then 1.
    """
    from imgqa.metrics.table import METRICS
    from imgqa.modality import IMAGE

    metrics = metric_names(names, METRICS)
    pairs = find_pairs(reference, distorted, manifest, root, modality="image", suffixes=IMAGE.suffixes)
    results, failures = _collect(pairs, _image_scores(pairs, metrics, jobs or os.cpu_count() or 1))
    if as_json:
        _echo_json([{"path": name} | scores for name, scores in results])
    else:
        _echo_csv(metrics, results)
    _report_failures(failures, pairs)


@metric.command(short_help="Compare point clouds with their references.")
@_pair_options
@click.option("--metrics", "names", help="Names with commas, or 'all', as far as they fit.  [default: d1,d2,yuv,pcqm]")
@click.option("--set", "settings", multiple=True, metavar="METRIC.OPTION=VALUE", help="In TOML syntax. Repeatable.")
@click.option("--json", "as_json", is_flag=True, help="JSON with every value of each metric, in place of CSV.")
def cloud(
    reference: Path | None,
    distorted: Path | None,
    manifest: Path | None,
    root: Path | None,
    jobs: int | None,
    names: str | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Compare the point cloud DIST with its reference REF, or all clouds of the folder DIST with those of REF.

    \b
      rankqa metric cloud ref.ply dist.ply
      rankqa metric cloud ref.ply dist.ply --metrics d1,d2 --set d1.peak=1023 --set d2.peak=1023 --json
      rankqa metric cloud --manifest manifest.csv --metrics pcqm,pointssim

    In folders, the reference of `a/b.ply` is `a/b.ply` or, if there is none, the only file `a/b.*`. With --manifest the
    pairs are those of its rows. Names of metrics: rankqa list metrics; their options: docs/metrics.md.

    Prints `path` and one column a metric on standard output. Higher is better: distances are printed with a minus sign.
    Without --metrics, or with all, a metric that needs colours or normals that a pair lacks leaves its cell empty. PSNR
    of equal clouds is inf, in JSON null. A pair that cannot be compared is named on standard error, the others are
    compared all the same, and the exit code is then 1.
    """
    from pcqa.metrics.table import DEFAULT
    from pcqa.modality import CLOUD
    from rankqa_cli.cloud_metrics import CLOUD_METRICS

    metrics = list(DEFAULT) if names is None else metric_names(names, CLOUD_METRICS)
    options = _metric_options(settings, metrics, CLOUD_METRICS)
    score = partial(_score_clouds, metrics=metrics, options=options, only_fitting=names in (None, "all"))
    pairs = find_pairs(reference, distorted, manifest, root, modality="cloud", suffixes=CLOUD.suffixes)
    results, failures = _collect(pairs, _cloud_scores(pairs, score, jobs))
    if as_json:
        _echo_json(
            [
                {"path": name} | {key: {"score": one.score, "values": one.values} for key, one in scores.items()}
                for name, scores in results
            ]
        )
    else:
        rows = [(name, {key: one.score for key, one in scores.items()}) for name, scores in results]
        _echo_csv(metrics, rows)
    _report_failures(failures, pairs)


def metric_names(text: str, known: Mapping[str, object]) -> list[str]:
    """The metrics of an option's text.

    Raises:
        UsageProblem: an unknown name.
    """
    names = list(known) if text == "all" else [name.strip() for name in text.split(",")]
    for name in names:
        _require_metric(name, known)
    return list(dict.fromkeys(names))


def _metric_options(
    settings: Sequence[str], metrics: Sequence[str], known: "Mapping[str, Metric]"
) -> dict[str, dict[str, Any]]:
    from pcqa.metrics.score import checked_options
    from shared_engine.config_files import parse_setting

    options: dict[str, dict[str, Any]] = {}
    for text in settings:
        for name, table in parse_setting(text).items():
            _require_metric(name, known)
            if not isinstance(table, dict):
                raise UsageProblem(f"--set {text}: expected METRIC.OPTION=VALUE, for example d1.peak=1023")
            if name not in metrics:
                raise UsageProblem(f"--set {text}: {name} is not asked for, only {', '.join(metrics)}")
            try:
                options.setdefault(name, {}).update(checked_options(name, known[name], table))
            except InputError as error:
                raise UsageProblem(f"--set {text}: {error}") from None
    return options


def _require_metric(name: str, known: Mapping[str, object]) -> None:
    if name not in known:
        raise UsageProblem(f"unknown metric {name!r}: {closest(name, known)}")


def _image_scores(pairs: Sequence[Pair], metrics: Sequence[str], jobs: int) -> Iterable[dict[str, float] | InputError]:
    import torch

    from imgqa.metrics.file_pair import score_files

    def score(pair: Pair) -> dict[str, float] | InputError:
        try:
            return score_files(pair.path, pair.require_reference(), list(metrics))
        except InputError as error:
            return error

    # The pairs are the parallel work. Decoding and torch leave the interpreter's lock, so threads are enough.
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads // min(jobs, len(pairs))))
    try:
        with ThreadPoolExecutor(jobs) as pool:
            yield from tqdm(pool.map(score, pairs), total=len(pairs), disable=None)
    finally:
        torch.set_num_threads(threads)


def _cloud_scores(pairs: Sequence[Pair], score: Any, jobs: int | None) -> Iterable[dict[str, "Score"] | InputError]:
    from shared_engine.worker_processes import processors, worker_processes

    with worker_processes(min(jobs or processors(), len(pairs))) as each:
        yield from each(score, pairs, "comparing")


def _score_clouds(
    pair: Pair, *, metrics: Sequence[str], options: Mapping[str, Mapping[str, Any]], only_fitting: bool
) -> dict[str, "Score"] | InputError:
    from pcqa.io import read_cloud
    from pcqa.metrics import score
    from pcqa.metrics.cloud_pair import CloudPair
    from pcqa.metrics.score import fitting_metrics
    from rankqa_cli.cloud_metrics import CLOUD_METRICS

    try:
        clouds = read_cloud(pair.require_reference()), read_cloud(pair.path)
        if only_fitting:
            metrics = fitting_metrics(CloudPair(*clouds), metrics, options, CLOUD_METRICS)
        return score(*clouds, metrics=metrics, options=options, table=CLOUD_METRICS)
    except InputError as error:
        # Its text alone: what caused it need not survive the way between processes.
        return InputError(str(error))


def _collect(
    pairs: Sequence[Pair], outcomes: Iterable[dict[str, Any] | InputError]
) -> tuple[list[tuple[str, dict[str, Any]]], int]:
    """Names and scores in the order of the pairs, and how many pairs failed.

    Raises:
        InputError: the failure of the only pair.
    """
    results, failures = [], 0
    for pair, outcome in zip(pairs, outcomes, strict=True):
        if isinstance(outcome, InputError):
            if len(pairs) == 1:
                raise outcome
            failures += 1
            tqdm.write(f"Error: {outcome}", file=sys.stderr)
        else:
            results.append((pair.name, outcome))
    return results, failures


def _echo_csv(metrics: Sequence[str], results: Sequence[tuple[str, Mapping[str, float]]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["path", *metrics])
    writer.writerows([name, *(repr(scores[m]) if m in scores else "" for m in metrics)] for name, scores in results)


def _echo_json(rows: Any) -> None:
    click.echo(json.dumps(_without_infinities(rows), indent=2, allow_nan=False))


def _without_infinities(tree: Any) -> Any:
    """JSON has no infinity: null."""
    if isinstance(tree, dict):
        return {key: _without_infinities(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_without_infinities(value) for value in tree]
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree


def _report_failures(failures: int, pairs: Sequence[Pair]) -> None:
    if failures:
        raise click.ClickException(f"{failures} of {len(pairs)} pairs could not be compared")
