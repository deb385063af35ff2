"""The losses as modules: they hold options and call the functions of `shared_losses.functional`."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor, nn

from shared_losses import functional
from shared_losses.row_inputs import ROW_INPUTS
from shared_losses.shapes import BatchFloats, ScalarFloat


class LossModule(nn.Module):
    """A loss with its options, which are those of its function; rows are passed on as they come.

    Raises:
        TypeError: If an option is unknown.
    """

    function: ClassVar[Callable[..., Tensor]]

    def __init_subclass__(cls, function: Callable[..., Tensor], **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.function = staticmethod(function)
        parameters = inspect.signature(function).parameters.values()
        options = [parameter for parameter in parameters if parameter.name not in ROW_INPUTS]
        cls.__signature__ = inspect.Signature(options)  # pyright: ignore[reportAttributeAccessIssue]

    def __init__(self, **options: Any) -> None:
        super().__init__()
        known = list(inspect.signature(type(self)).parameters)
        for name in options:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f", closest is {close[0]!r}" if close else ""
                listed = ", ".join(known) or "none"
                raise TypeError(f"unknown option {name!r} of {type(self).__name__}{hint}; its options are {listed}")
        self.options = options

    def forward(self, scores: BatchFloats, targets: BatchFloats, **rows: Tensor | None) -> ScalarFloat:
        return type(self).function(scores, targets, **rows, **self.options)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self.options.items())


class SpearmanLoss(LossModule, function=functional.spearman_loss):
    """Module form of `shared_losses.functional.spearman_loss`, where the options are described."""


class PermutahedronLoss(LossModule, function=functional.permutahedron_loss):
    """Module form of `shared_losses.functional.permutahedron_loss`, where the options are described."""


class BlackboxLoss(LossModule, function=functional.blackbox_loss):
    """Module form of `shared_losses.functional.blackbox_loss`, where the options are described."""


class ASNALoss(LossModule, function=functional.asna_loss):
    """Module form of `shared_losses.functional.asna_loss`, where the options are described."""


class GCCLoss(LossModule, function=functional.gcc_loss):
    """Module form of `shared_losses.functional.gcc_loss`, where the options are described."""


class PLCCLoss(LossModule, function=functional.plcc_loss):
    """Module form of `shared_losses.functional.plcc_loss`, where the options are described."""


class RankPLCCLoss(LossModule, function=functional.rank_plcc_loss):
    """Module form of `shared_losses.functional.rank_plcc_loss`, where the options are described."""


class GiniLoss(LossModule, function=functional.gini_loss):
    """Module form of `shared_losses.functional.gini_loss`, where the options are described."""


class ConcordanceLoss(LossModule, function=functional.concordance_loss):
    """Module form of `shared_losses.functional.concordance_loss`, where the options are described."""


class NormInNormLoss(LossModule, function=functional.norm_in_norm_loss):
    """Module form of `shared_losses.functional.norm_in_norm_loss`, where the options are described."""


class NormalizedErrorLoss(LossModule, function=functional.normalized_error_loss):
    """Module form of `shared_losses.functional.normalized_error_loss`, where the options are described."""


class KendallLoss(LossModule, function=functional.kendall_loss):
    """Module form of `shared_losses.functional.kendall_loss`, where the options are described."""


class PairwiseHingeLoss(LossModule, function=functional.pairwise_hinge_loss):
    """Module form of `shared_losses.functional.pairwise_hinge_loss`, where the options are described."""


class RankNetLoss(LossModule, function=functional.ranknet_loss):
    """Module form of `shared_losses.functional.ranknet_loss`, where the options are described."""


class FidelityLoss(LossModule, function=functional.fidelity_loss):
    """Module form of `shared_losses.functional.fidelity_loss`, where the options are described."""


class ThurstoneLoss(LossModule, function=functional.thurstone_loss):
    """Module form of `shared_losses.functional.thurstone_loss`, where the options are described."""


class RelativeRankingLoss(LossModule, function=functional.relative_ranking_loss):
    """Module form of `shared_losses.functional.relative_ranking_loss`, where the options are described."""


class ListNetLoss(LossModule, function=functional.listnet_loss):
    """Module form of `shared_losses.functional.listnet_loss`, where the options are described."""


class ListMLELoss(LossModule, function=functional.listmle_loss):
    """Module form of `shared_losses.functional.listmle_loss`, where the options are described."""


class EMDLoss(LossModule, function=functional.emd_loss):
    """Module form of `shared_losses.functional.emd_loss`, where the options are described."""


class CDFQuantileLoss(LossModule, function=functional.cdf_quantile_loss):
    """Module form of `shared_losses.functional.cdf_quantile_loss`, where the options are described."""


class GaussianNLLLoss(LossModule, function=functional.gaussian_nll_loss):
    """Module form of `shared_losses.functional.gaussian_nll_loss`, where the options are described."""


class MSELoss(LossModule, function=functional.mse_loss):
    """Module form of `shared_losses.functional.mse_loss`, where the options are described."""


class MAELoss(LossModule, function=functional.mae_loss):
    """Module form of `shared_losses.functional.mae_loss`, where the options are described."""


class SmoothL1Loss(LossModule, function=functional.smooth_l1_loss):
    """Module form of `shared_losses.functional.smooth_l1_loss`, where the options are described."""


class LocalManifoldLoss(LossModule, function=functional.local_manifold_loss):
    """Module form of `shared_losses.functional.local_manifold_loss`, where the options are described."""


class ConsistencyLoss(LossModule, function=functional.consistency_loss):
    """Module form of `shared_losses.functional.consistency_loss`, where the options are described."""


class CrossEntropyLoss(LossModule, function=functional.cross_entropy_loss):
    """Module form of `shared_losses.functional.cross_entropy_loss`, where the options are described."""
