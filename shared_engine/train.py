"""From a resolved configuration to a finished run folder."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from lightning_fabric import Fabric  # noqa: TID253 -- nothing light imports this file
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from rankqa_datasets.cache import ArrayCache
from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import Stimulus
from rankqa_datasets.split import write_split
from shared_engine.calibration import fit_calibration
from shared_engine.checkpoint import load_weights
from shared_engine.config import EngineConfig, ObjectiveConfig, RunConfig
from shared_engine.environment import describe_environment, peak_memory_mb
from shared_engine.evaluation import prediction_rows, summarise_baselines, summarise_databases
from shared_engine.fit import Training, fit, load, selected_weights
from shared_engine.memory import keep_freed_memory
from shared_engine.modality import FitsInputs, Modality, Reader, is_full_reference, read_stimulus
from shared_engine.names import UsageProblem, build
from shared_engine.parts import Parts, read_parts
from shared_engine.predict import predict
from shared_engine.run_folder import RunFolder, read_json, read_weights, write_csv, write_json, write_weights
from shared_engine.seeding import seed_torch
from shared_losses import ScoreBank
from shared_losses.objective import Objective, Term

Report = Callable[[str], None]


def train(
    config: RunConfig,
    modality: Modality,
    path: Path,
    *,
    cache: Path | None = None,
    resume: bool = False,
    report: Report,
) -> dict[str, Any]:
    """Train, select, evaluate on the parts that were not trained on, and write everything into the run folder.

    Args:
        config: resolved configuration.
        modality: the package that reads and models the stimuli.
        path: the run folder; must be empty or absent unless `resume`.
        cache: folder of the decode cache; by default inside the run folder.
        resume: continue from the last checkpoint of the folder.
        report: receives one line of progress at a time.

    Returns:
        What result.json holds.

    Raises:
        UsageProblem: a name, option or folder that does not fit.
        InputError: bad data, a full disk, a diverged training.
    """
    started = time.perf_counter()
    fabric = launch(config.engine)
    if not fabric.is_global_zero:
        report = _silent
    folder = RunFolder(path)
    if resume:
        folder.require()
    config = modality.complete(config)
    parts = read_parts(
        config.data,
        need_validation=config.engine.selection == "validation",
        split_file=folder.split if resume and folder.split.exists() else None,
        files=modality.rows_in is None,
    )
    reader = modality.reader(config, ArrayCache(cache or path / "cache"))
    seed_torch(config.seed, "weights")
    model: nn.Module = build("model", config.model.name, modality.models, config.model.options)
    full_reference = is_full_reference(model)
    if isinstance(model, FitsInputs):
        model.fit_inputs(
            read_stimulus(reader, s.path, s.reference, None, full_reference=full_reference) for s in parts.train
        )
    if config.model.init is not None and not resume:
        _begin_with(RunFolder(Path(config.model.init)), model, parts, report)
    objective = build_objective(config.objective, parts)
    if fabric.is_global_zero:
        if not resume:
            folder.create()
            write_json(folder.config, config.model_dump(mode="json"))
        write_json(folder.environment, describe_environment(fabric.device))
        write_split(parts.split, folder.split)
    fabric.barrier()
    _announce(config, parts, model, fabric, path, report)
    if fabric.is_global_zero:
        _fill_cache(parts, reader, full_reference=full_reference)
    fabric.barrier()
    training = Training(config, parts, model, objective, reader, fabric)
    # Killed before the first epoch ended: there is no checkpoint, and the start is a function of the seed.
    if resume and folder.last.exists():
        load(training, folder)
        report(f"resumed after epoch {training.progress.epoch}")
    fit(training, folder, report)
    weights, epoch = selected_weights(training, folder)
    load_weights(model, weights, folder.path)
    result = _result(training, modality, folder, model, epoch)
    result["seconds"] = round(time.perf_counter() - started, 1)
    if fabric.is_global_zero:
        metadata = {"model": config.model.name, "modality": config.modality, "recipe": config.recipe}
        write_weights(folder.model, model.state_dict(), metadata)
        write_json(folder.result, result)
    fabric.barrier()
    return result


def _begin_with(start: RunFolder, model: nn.Module, parts: Parts, report: Report) -> None:
    """Takes the weights of a finished run, and says so where its classes were others: a class is but a place."""
    load_weights(model, read_weights(start.model), start.model)
    theirs = read_json(start.result).get("classes") if start.result.exists() else None
    if theirs and parts.classes and tuple(theirs) != parts.classes:
        report(
            f"note: {start.path} learnt the classes {', '.join(theirs)}, and here they are {', '.join(parts.classes)}: "
            "its head of classes begins with the meanings of those"
        )


def _silent(_: str) -> None:
    """The report of all processes but the first."""


def launch(config: EngineConfig) -> Fabric:
    """Start Fabric: it picks the device, and with several devices runs this same command once for each.

    Raises:
        UsageProblem: the accelerator or the number of devices is not to be had.
    """
    keep_freed_memory()
    try:
        fabric = Fabric(accelerator=config.accelerator, devices=config.devices, precision=config.precision)
    except (RuntimeError, ValueError) as error:
        raise UsageProblem(f"engine.accelerator={config.accelerator} devices={config.devices}: {error}") from None
    fabric.launch()
    return fabric


def build_objective(config: ObjectiveConfig, parts: Parts) -> Objective:
    """The objective with its bank; standardised losses use mean and standard deviation of the training targets.

    With several databases in the training part each has its own bank, mean and standard deviation.

    Raises:
        UsageProblem: unknown loss or option.
    """
    targets = np.array([s.target for s in parts.train])
    if np.ptp(targets) == 0:
        raise InputError(f"all {len(targets)} training targets are {targets[0]:g}: there is nothing to rank")
    mixture = parts.mixture
    if mixture is not None and config.within:
        raise UsageProblem("objective.within goes with one database, but the manifest has a column of several")
    location, scale = float(targets.mean()), float(targets.std())
    bank = None
    if config.bank is not None and mixture is None:
        bank = ScoreBank(config.bank.capacity or len(targets), config.bank.kind)
    elif config.bank is not None and mixture is not None:
        sizes = dict(zip(mixture.names, mixture.sizes, strict=True))
        bank = {name: ScoreBank(config.bank.capacity or size, config.bank.kind) for name, size in sizes.items()}
    databases = None
    if mixture is not None:
        databases, location, scale = mixture.names, 0.0, 1.0  # targets come standardised within each database
    try:
        terms = [Term(t.name, t.weight, use_bank=t.bank, options=t.options, output=t.output) for t in config.terms]
        kept = {} if config.bank is None else config.bank.model_dump(include={"max_age", "warmup", "align"})
        objective = Objective(
            terms,
            bank,
            databases=databases,
            classes=parts.classes,
            grouped=bool(config.within),
            target_location=location,
            target_scale=scale,
            **kept,
        )
    except (TypeError, ValueError) as error:
        raise UsageProblem(str(error)) from None
    if objective.needs_classes and not parts.classes:
        raise UsageProblem("a term learns classes: name the manifest's column of them with --set data.classes=COLUMN")
    if parts.classes and not objective.needs_classes:
        raise UsageProblem(
            f"data.classes is {parts.class_column!r}, but no term of the objective learns classes; cross_entropy does"
        )
    return objective


def _announce(config: RunConfig, parts: Parts, model: nn.Module, fabric: Fabric, path: Path, report: Report) -> None:
    engine = config.engine
    contents = len({s.content for s in parts.train})
    parameters = sum(p.numel() for p in model.parameters())
    bank = config.objective.bank
    rows = 0 if bank is None else (bank.capacity or len(parts.train))
    unused = len(parts.split.ids("unused"))
    report(f"device {fabric.device}, precision {engine.precision}, {fabric.world_size} process(es)")
    report(
        f"{len(parts.train)} training stimuli of {contents} contents, {len(parts.validation)} validation, "
        f"{len(parts.test)} test{f', {unused} unused' if unused else ''}; split {parts.split.digest[:12]}"
    )
    mixture = parts.mixture
    if mixture is not None:
        sizes = ", ".join(f"{name} ({size})" for name, size in zip(mixture.names, mixture.sizes, strict=True))
        report(f"databases {sizes}: never compared with each other, one bank and one target scale each")
    if parts.classes:
        unknown = parts.class_of.count(-1)
        report(f"classes {', '.join(parts.classes)}" + (f"; {unknown} stimuli of unknown class" if unknown else ""))
    report(
        f"model {config.model.name}: {parameters:,} parameters; batch {engine.batch_size} + bank of up to {rows} scores"
    )
    report(f"run folder {path}")


def _fill_cache(parts: Parts, reader: Reader, *, full_reference: bool) -> None:
    """Read each stimulus once, on all cores, so that a damaged file is found before training and epochs only read the
    cache.
    """
    stimuli: tuple[Stimulus, ...] = (*parts.train, *parts.validation, *parts.test)
    with ThreadPoolExecutor() as pool:
        reading = pool.map(
            lambda s: read_stimulus(reader, s.path, s.reference, None, full_reference=full_reference) and None, stimuli
        )
        try:
            for _ in tqdm(reading, "reading", total=len(stimuli), leave=False, disable=None):
                pass
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _result(training: Training, modality: Modality, folder: RunFolder, model: nn.Module, epoch: int) -> dict[str, Any]:
    config, parts, progress = training.config, training.parts, training.progress
    rows, evaluated = [], {}

    def score(stimuli: Sequence[Stimulus]) -> NDArray[np.float64]:
        return predict(
            model, stimuli, training.reader, training.fabric,
            batch_size=config.evaluation_batch_size, workers=config.engine.workers,
        )  # fmt: skip

    for part in ("validation", "test"):
        stimuli = getattr(parts, part)
        if not stimuli:
            continue
        scores = score(stimuli)
        rows += prediction_rows(stimuli, scores, part)
        evaluated |= summarise_databases(stimuli, scores, part)
    is_first = training.fabric.is_global_zero
    baselines = summarise_baselines(parts.test, modality.baselines, modality.training_baselines) if is_first else {}
    if is_first and rows:
        write_csv(folder.predictions, rows)
    result: dict[str, Any] = {
        "status": "finished",
        "modality": config.modality,
        "recipe": config.recipe,
        "seed": config.seed,
        "selection": config.engine.selection,
        "epochs": progress.epoch,
        "selected_epoch": epoch,
        "parts": evaluated,
        "baselines": baselines,
        "calibration": fit_calibration(parts, score),
        "split_digest": parts.split.digest,
        "parameters": sum(p.numel() for p in model.parameters()),
        "peak_memory_mb": round(peak_memory_mb(), 1),
    }
    if parts.classes:
        result["classes"] = parts.classes
    if config.engine.report_test_max:
        result["test_max_srocc"] = progress.test_max_srocc
    return result


def load_run(path: Path, modality: Modality, config: RunConfig) -> nn.Module:
    """The trained model of a finished run, in evaluation mode on the CPU.

    Raises:
        InputError: unfinished, damaged, or weights of another model.
    """
    folder = RunFolder(path)
    folder.require()
    model = build("model", config.model.name, modality.models, _without_pretrained(config.model.options))
    load_weights(model, read_weights(folder.model), folder.model)
    return model.eval()


def _without_pretrained(options: dict[str, Any]) -> dict[str, Any]:
    """A trained model brings its own weights: none are to be fetched for it."""
    return {**options, "pretrained": False} if "pretrained" in options else options
