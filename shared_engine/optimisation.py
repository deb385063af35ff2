"""Optimiser, learning-rate schedule and averaged weights from their configuration; all of them torch's own."""

import math
from collections.abc import Callable

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from shared_engine.config import OptimConfig

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}


def build_optimizer(model: nn.Module, config: OptimConfig) -> torch.optim.Optimizer:
    """One group of parameters, or two where the model names a backbone that learns at its own rate."""
    backbone = {id(p) for p in model.backbone_parameters()} if hasattr(model, "backbone_parameters") else set()  # pyright: ignore[reportCallIssue]
    head = [p for p in model.parameters() if p.requires_grad and id(p) not in backbone]
    groups = [{"params": head, "lr": config.lr}]
    if backbone:
        own = [p for p in model.parameters() if p.requires_grad and id(p) in backbone]
        groups.append({"params": own, "lr": config.lr * config.backbone_lr_ratio})
    options = {"momentum": config.momentum} if config.name == "sgd" else {}
    return OPTIMIZERS[config.name](groups, lr=config.lr, weight_decay=config.weight_decay, **options)


def build_scheduler(
    optimizer: torch.optim.Optimizer, config: OptimConfig, *, steps_per_epoch: int, epochs: int
) -> LambdaLR:
    """Stepped once an optimiser step: linear warm-up, then a half cosine to zero or a constant."""
    total = steps_per_epoch * epochs
    warmup = round(config.warmup_epochs * steps_per_epoch)

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        if config.schedule == "constant":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))

    return LambdaLR(optimizer, factor)


def build_average(model: nn.Module, config: OptimConfig) -> AveragedModel | None:
    """Exponential moving average of weights and buffers, if asked for."""
    if config.ema_decay is None:
        return None
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay), use_buffers=True)
