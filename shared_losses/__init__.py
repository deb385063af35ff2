"""Differentiable quality losses with a score bank. Needs PyTorch and nothing else."""

from shared_losses.distributed import GatheredRows, gather_rows
from shared_losses.expected_rank import expected_midrank
from shared_losses.functional import (
    mae_loss,
    mse_loss,
    norm_in_norm_loss,
    plcc_loss,
    soft_rank,
    spearman_loss,
)
from shared_losses.losses import MAELoss, MSELoss, NormInNormLoss, PLCCLoss, SpearmanLoss
from shared_losses.objective import LOSSES, Objective, Term, describe_losses
from shared_losses.score_bank import BankRows, ScoreBank
from shared_losses.sorting import midrank

__all__ = [
    "LOSSES",
    "BankRows",
    "GatheredRows",
    "MAELoss",
    "MSELoss",
    "NormInNormLoss",
    "Objective",
    "PLCCLoss",
    "ScoreBank",
    "SpearmanLoss",
    "Term",
    "describe_losses",
    "expected_midrank",
    "gather_rows",
    "mae_loss",
    "midrank",
    "mse_loss",
    "norm_in_norm_loss",
    "plcc_loss",
    "soft_rank",
    "spearman_loss",
]
