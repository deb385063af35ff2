"""The runs that a cross-validation is made of: which fold and seed each is, and whether they belong together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from rankqa_datasets.errors import InputError
from rankqa_datasets.stimulus import Stimulus
from shared_engine.calibration import read_calibration
from shared_engine.mixture import COLUMN
from shared_engine.predictions import FinishedRun, read_finished_run
from shared_engine.results_table import differing_keys, shown
from shared_engine.run_folder import RunFolder, read_csv, read_json
from shared_engine.run_results import RunResult, look_up
from shared_engine.score_mapping import Mapping


@dataclass(frozen=True)
class FoldRun:
    """One run of a cross-validation: a model trained on one fold with one seed.

    Attributes:
        finished: its predictions of the test part, seed and share of test to training stimuli.
        config: its configuration.
        calibration: from its scores to targets; None where all its scores were equal, or its databases have no common
            scale.
        baselines: SROCC of each full-reference baseline on the test part, named as in result.json.
    """

    finished: FinishedRun
    config: dict[str, Any]
    calibration: Mapping | None
    baselines: dict[str, float | None]

    @property
    def tested(self) -> frozenset[str]:
        """Ids of the test part; runs that agree in them are one fold."""
        return frozenset(self.finished.predictions.ids)

    @property
    def name(self) -> str:
        """The split file without its folder and ending; of splits that the run made the folder of the run."""
        split = look_up(self.config, "data.split")
        return Path(split).stem if isinstance(split, str) else self.finished.folder.name

    @cached_property
    def stimuli(self) -> dict[str, Stimulus]:
        """What predictions.csv says about the stimuli of the test part, by their ids."""
        rows = read_csv(RunFolder(self.finished.folder).predictions)
        return {
            row["id"]: Stimulus(
                id=row["id"],
                path=Path(row["id"]),
                target=float(row["target"]),
                reference=None,
                content=row["content"],
                recipe=row.get("recipe") or None,
                extra={COLUMN: row.get(COLUMN) or ""},
            )
            for row in rows
            if row["id"] in self.tested
        }

    @cached_property
    def trained(self) -> tuple[str, ...]:
        """Ids of the training part; none where the folder has no split file."""
        path = RunFolder(self.finished.folder).split
        return tuple(row["path"] for row in read_csv(path) if row["split"] == "train") if path.exists() else ()


def read_fold_run(path: Path) -> FoldRun:
    """A finished run with all that joining needs.

    Raises:
        InputError: no run folder, unfinished, damaged, or without a test part.
    """
    finished, folder = read_finished_run(path), RunFolder(path)
    result = read_json(folder.result)
    try:
        baselines = {name: summary["srocc"] for name, summary in result.get("baselines", {}).items()}
        calibration = None if result.get("calibration") is None else read_calibration(folder)
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(f"{folder.result} is damaged: baselines or calibration: {error}") from None
    return FoldRun(finished, read_json(folder.config), calibration, baselines)


def of_database(run: FoldRun, name: str) -> FoldRun:
    """What a run says about one of its databases."""
    finished = replace(run.finished, predictions=run.finished.predictions.of_database(name))
    end = f", {name}"
    baselines = {key.removesuffix(end): value for key, value in run.baselines.items() if key.endswith(end)}
    return replace(run, finished=finished, baselines=baselines)


def folds_and_seeds(runs: Sequence[FoldRun]) -> list[list[FoldRun]]:
    """The runs [fold][seed], folds in the order of the runs, seeds sorted.

    Raises:
        InputError: the runs differ in more than seed, split and initial weights, two of one seed test the same
            stimulus, a seed lacks a fold, or runs disagree about a stimulus.
    """
    _check_configs(runs)
    owner: dict[tuple[int, str], FoldRun] = {}
    known: dict[str, tuple[float, str, FoldRun]] = {}
    folds: dict[frozenset[str], dict[int, FoldRun]] = {}
    for run in runs:
        p, folder = run.finished.predictions, run.finished.folder
        for id_, target, content in zip(p.ids, p.targets.tolist(), p.contents, strict=True):
            other = owner.setdefault((run.finished.seed, id_), run)
            if other is not run:
                raise InputError(
                    f"{other.finished.folder} and {folder} have the seed {run.finished.seed} and both test {id_!r}: "
                    "give one run for each fold and seed; random splits that overlap are for rankqa table"
                )
            one, its_content, source = known.setdefault(id_, (target, content, run))
            if (one, its_content) != (target, content):
                raise InputError(
                    f"{source.finished.folder} and {folder} disagree about {id_!r}: target {one:g} of content "
                    f"{its_content!r}, and {target:g} of {content!r}"
                )
        folds.setdefault(run.tested, {})[run.finished.seed] = run
    seeds = sorted({run.finished.seed for run in runs})
    for of_seed in folds.values():
        for seed in seeds:
            if seed not in of_seed:
                has = next(iter(of_seed.values())).finished
                raise InputError(
                    f"no run of seed {seed} has the test part of {has.folder} (seed {has.seed}): expected the same "
                    "folds for each seed"
                )
    return [[of_seed[seed] for seed in seeds] for of_seed in folds.values()]


def _check_configs(runs: Sequence[FoldRun]) -> None:
    keys = differing_keys([RunResult(str(run.finished.folder), run.config, {}) for run in runs])
    # Pretraining that leaves a fold's contents out gives each fold weights of its own to begin with.
    keys = [key for key in keys if key != "model.init"]
    if not keys:
        return
    first = runs[0]
    value = shown(look_up(first.config, keys[0]))
    other = next(run for run in runs if shown(look_up(run.config, keys[0])) != value)
    raise InputError(
        f"expected runs that differ in seed and split alone, got {keys[0]} = {value} in {first.finished.folder} and "
        f"{shown(look_up(other.config, keys[0]))} in {other.finished.folder}: give the runs of one setting"
    )
