"""The training loop. Its whole state between two epochs is one dictionary, so any interruption can be resumed bit for
bit.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric  # noqa: TID253 -- this file trains; nothing light imports it
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from rankqa_datasets.errors import InputError
from shared_engine.checkpoint import State, load_checkpoint, load_weights, save_checkpoint
from shared_engine.config import RunConfig
from shared_engine.criteria import plcc, srocc
from shared_engine.evaluation import mean_within
from shared_engine.groups import group_numbers, rows_that_agree
from shared_engine.modality import Reader, is_full_reference
from shared_engine.names import UsageProblem
from shared_engine.optimisation import build_average, build_optimizer, build_scheduler
from shared_engine.parts import Parts
from shared_engine.predict import predict
from shared_engine.run_folder import RunFolder, write_csv
from shared_engine.seeding import seed_torch
from shared_engine.seen_scores import Seen
from shared_engine.stimuli import (
    Batch,
    EpochBatches,
    GroupBatches,
    StimulusDataset,
    model_input,
    read_ahead,
    training_loader,
)
from shared_losses.objective import Objective


@dataclass
class Progress:
    """What an epoch decides from: how far training is, the log, and the best epoch by validation SROCC."""

    epoch: int = 0
    log: list[dict[str, float | int | None]] = field(default_factory=list)
    best_epoch: int = 0
    best_srocc: float = -math.inf
    test_max_srocc: float | None = None


class Training:
    """Model, optimiser, schedule, objective with its bank, averaged weights and progress, wired by Fabric."""

    def __init__(
        self, config: RunConfig, parts: Parts, model: nn.Module, objective: Objective, reader: Reader, fabric: Fabric
    ) -> None:
        self.config, self.parts, self.reader, self.fabric = config, parts, reader, fabric
        self.plain_model = model
        self.average: AveragedModel | None = build_average(model, config.optim)
        self.objective = objective.to(fabric.device)
        optimizer = build_optimizer(model, config.optim)
        place = {"rank": fabric.global_rank, "world_size": fabric.world_size}
        size, seed = config.engine.batch_size, config.seed
        self.group_of: Tensor | None = None
        if config.objective.within:
            groups = rows_that_agree(parts.train, config.objective.within)
            if min(map(len, groups)) < fabric.world_size:
                raise UsageProblem(
                    f"objective.within has groups of {min(map(len, groups))} stimuli, too few for"
                    f" {fabric.world_size} processes; lower --devices"
                )
            self.group_of = group_numbers(groups)
            self.batches = GroupBatches(groups, size, seed, **place)
        else:
            self.batches = EpochBatches(len(parts.train), size, seed, drop_last=config.engine.drop_last, **place)
        self.class_of = torch.tensor(parts.class_of) if parts.classes else None
        if len(self.batches) == 0:
            raise InputError(
                f"{len(parts.train)} training stimuli do not fill one batch of {config.engine.batch_size} over"
                f" {fabric.world_size} process(es); lower engine.batch_size"
            )
        dataset = StimulusDataset(parts.train, reader, full_reference=is_full_reference(model))
        self.loader = training_loader(dataset, self.batches, config.engine.workers)
        steps = math.ceil(len(self.batches) / config.engine.accumulate)
        self.scheduler = build_scheduler(optimizer, config.optim, steps_per_epoch=steps, epochs=config.engine.epochs)
        self.model, self.optimizer = fabric.setup(model, optimizer)
        if self.average is not None:
            self.average.to(fabric.device)
        self.progress = Progress()

    @property
    def scoring_model(self) -> nn.Module:
        """The model to evaluate and keep: the averaged one where there is one."""
        return self.plain_model if self.average is None else self.average.module


def fit(training: Training, folder: RunFolder, report: Callable[[str], None]) -> None:
    """Train to the last epoch, or until patience ends; after each epoch `last` (and `best`) are on the disk."""
    config, progress = training.config.engine, training.progress
    while progress.epoch < config.epochs and not _out_of_patience(training):
        started = time.perf_counter()
        row = train_one_epoch(training)
        row |= _follow(training)
        row["seconds"] = round(time.perf_counter() - started, 3)
        progress.log.append(row)
        improved = progress.best_epoch == progress.epoch
        if training.fabric.is_global_zero:
            write_csv(folder.log, progress.log)
            state = save(training)
            if improved and config.selection == "validation":
                save_checkpoint(folder.best, state)
            save_checkpoint(folder.last, state)
        report(_epoch_line(row, config.epochs))
        training.fabric.barrier()


def train_one_epoch(training: Training) -> dict[str, float | int | None]:
    """One pass over the training part; returns the mean of the loss and of its terms over steps."""
    config, progress, fabric = training.config, training.progress, training.fabric
    progress.epoch += 1
    seed_torch(config.seed, "epoch", progress.epoch, fabric.global_rank)
    training.batches.epoch = progress.epoch
    training.model.train()
    training.objective.train()
    learning_rate = training.scheduler.get_last_lr()[0]
    values_of: dict[str, list[float]] = {}
    seen = Seen()
    bar = tqdm(training.loader, f"epoch {progress.epoch}", leave=False, disable=None if fabric.is_global_zero else True)
    for group in _groups(read_ahead(bar, fabric.device), config.engine.accumulate):
        for i, batch in enumerate(group):
            with fabric.no_backward_sync(training.model, enabled=i + 1 < len(group)):  # pyright: ignore[reportArgumentType]
                values = _backward(training, batch, seen, share=1 / len(group))
            for name, value in values.items():
                values_of.setdefault(name, []).append(value)
        values_of.setdefault("gradient_norm", []).append(_clip_gradient(training))
        training.optimizer.step()
        training.optimizer.zero_grad()
        training.scheduler.step()
        training.objective.push()
        if training.average is not None:
            training.average.update_parameters(training.plain_model)
    # Of a mixture not every batch holds every database.
    means = {name: sum(values) / len(values) for name, values in values_of.items()}
    return {"epoch": progress.epoch, "lr": float(learning_rate), **means, **seen.summary(training.parts)}


def _backward(training: Training, batch: Batch, seen: Seen, *, share: float) -> dict[str, float]:
    batch = model_input(training.fabric.to_device(batch))
    outputs = dict(training.model(batch))
    scores = outputs.pop("scores")
    if not torch.isfinite(scores).all():
        raise InputError(
            f"scores are no longer finite in epoch {training.progress.epoch}: training diverged; "
            f"try a smaller rate with --set optim.lr={training.config.optim.lr / 10:g}"
        )
    seen.add(batch["rows"], scores)
    # The loss core works in float64 whatever the precision of the network.
    rows, targets, target_std, databases = batch["rows"], batch["targets"], batch["target_std"], None
    if training.parts.mixture is not None:
        targets, target_std = training.parts.mixture.standardise(rows, targets, target_std)
        databases = training.parts.mixture.database.to(rows.device)[rows]
        rows = training.parts.mixture.place.to(rows.device)[rows]
    if training.group_of is not None:
        databases = training.group_of.to(rows.device)[rows]
    if training.class_of is not None:
        outputs["classes"] = training.class_of.to(rows.device)[batch["rows"]]
    try:
        total, terms = training.objective(
            scores.float(), targets, ids=rows, target_std=target_std, databases=databases, outputs=outputs
        )
    except ValueError as error:
        # A batch that a loss cannot take: outputs that the model does not give, or a length that it does not rank.
        raise UsageProblem(f"objective, batch of {len(scores)}: {error}") from None
    training.fabric.backward(total * share)
    return {"loss": float(total.detach())} | {f"loss_{name}": float(value) for name, value in terms.items()}


def _clip_gradient(training: Training) -> float:
    """Clip the whole gradient if asked for; returns its length before (if nothing is clipped, under float16 scaled)."""
    max_norm = training.config.optim.clip_norm
    if max_norm is None:
        return float(get_total_norm([p.grad for p in training.plain_model.parameters() if p.grad is not None]))
    norm = training.fabric.clip_gradients(training.model, training.optimizer, max_norm=max_norm)  # pyright: ignore[reportArgumentType]
    assert norm is not None  # None only where values are clipped one by one
    return float(norm)


def _groups(batches: Iterator[Batch], size: int) -> Iterator[list[Batch]]:
    """Batches in lists of `size`; the last list may be shorter."""
    group: list[Batch] = []
    for batch in batches:
        group.append(batch)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _follow(training: Training) -> dict[str, float | None]:
    """Criteria after an epoch: validation to select from, test only under its own name and only if asked for."""
    progress, parts = training.progress, training.parts
    row: dict[str, float | None] = {}
    if parts.validation:
        scores = _scores(training, "validation")
        value = mean_within(srocc, parts.validation, scores)
        row |= {"validation_srocc": value, "validation_plcc": mean_within(plcc, parts.validation, scores)}
        if value is not None and value > progress.best_srocc:
            progress.best_srocc, progress.best_epoch = value, progress.epoch
    if training.config.engine.report_test_max and parts.test:
        value = mean_within(srocc, parts.test, _scores(training, "test"))
        row["test_srocc"] = value
        if value is not None:
            progress.test_max_srocc = max(
                value, progress.test_max_srocc if progress.test_max_srocc is not None else -1.0
            )
    return row | training.objective.bank_fill | training.objective.bank_age


def _scores(training: Training, part: str) -> np.ndarray:
    config = training.config
    return predict(
        training.scoring_model, getattr(training.parts, part), training.reader, training.fabric,
        batch_size=config.evaluation_batch_size, workers=config.engine.workers,
    )  # fmt: skip


def _out_of_patience(training: Training) -> bool:
    patience, progress = training.config.engine.patience, training.progress
    return patience is not None and progress.epoch - progress.best_epoch >= patience


def _epoch_line(row: dict[str, float | int | None], epochs: int) -> str:
    shown = {k: v for k, v in row.items() if k in ("loss", "validation_srocc", "seconds")}
    values = "  ".join(f"{k} {v:.4g}" if isinstance(v, float | int) else f"{k} undefined" for k, v in shown.items())
    return f"epoch {row['epoch']}/{epochs}  {values}"


def save(training: Training) -> State:
    """Everything that the next epoch depends on."""
    progress = training.progress
    return {
        "model": training.plain_model.state_dict(),
        "average": None if training.average is None else training.average.state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "scheduler": training.scheduler.state_dict(),
        "objective": training.objective.state_dict(),
        "progress": {
            "epoch": progress.epoch,
            "log": progress.log,
            "best_epoch": progress.best_epoch,
            "best_srocc": progress.best_srocc,
            "test_max_srocc": progress.test_max_srocc,
        },
        "data_digest": training.parts.digest,
    }


def load(training: Training, folder: RunFolder) -> None:
    """Continue from `last`.

    Raises:
        InputError: no readable checkpoint, of another model, or the data have changed since.
    """
    state = load_checkpoint(folder.last)
    if state.get("data_digest") != training.parts.digest:
        raise InputError(
            f"the manifest of {folder.path} has changed since the run began: its ids, targets, parts or classes differ"
        )
    load_weights(training.plain_model, state["model"], folder.last)
    if training.average is not None:
        training.average.load_state_dict(state["average"])
    training.optimizer.load_state_dict(state["optimizer"])
    training.scheduler.load_state_dict(state["scheduler"])
    training.objective.load_state_dict(state["objective"])
    training.progress = Progress(**state["progress"])


def selected_weights(training: Training, folder: RunFolder) -> tuple[dict[str, Any], int]:
    """Weights to keep, and their epoch: the best on validation, or the last."""
    progress = training.progress
    if training.config.engine.selection == "validation" and progress.best_epoch > 0:
        state = load_checkpoint(folder.best)
        if training.average is None:
            return state["model"], progress.best_epoch
        prefix = "module."
        return {
            k.removeprefix(prefix): v for k, v in state["average"].items() if k.startswith(prefix)
        }, progress.best_epoch
    return training.scoring_model.state_dict(), progress.epoch
