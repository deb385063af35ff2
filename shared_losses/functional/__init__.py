"""The losses as pure functions: scores and targets of a batch, and of a bank if there is one, to a scalar."""

from shared_losses.functional.norm_in_norm import norm_in_norm_loss
from shared_losses.functional.plcc import plcc_loss
from shared_losses.functional.regression import mae_loss, mse_loss
from shared_losses.functional.soft_rank import soft_rank
from shared_losses.functional.spearman import spearman_loss

__all__ = ["mae_loss", "mse_loss", "norm_in_norm_loss", "plcc_loss", "soft_rank", "spearman_loss"]
