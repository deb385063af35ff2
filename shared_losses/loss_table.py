"""The losses by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from torch import Tensor

from shared_losses import functional

LOSSES: dict[str, Callable[..., Tensor]] = {
    "spearman": functional.spearman_loss,
    "permutahedron": functional.permutahedron_loss,
    "blackbox": functional.blackbox_loss,
    "asna": functional.asna_loss,
    "gcc": functional.gcc_loss,
    "plcc": functional.plcc_loss,
    "rank_plcc": functional.rank_plcc_loss,
    "gini": functional.gini_loss,
    "concordance": functional.concordance_loss,
    "norm_in_norm": functional.norm_in_norm_loss,
    "normalized_error": functional.normalized_error_loss,
    "kendall": functional.kendall_loss,
    "pairwise_hinge": functional.pairwise_hinge_loss,
    "ranknet": functional.ranknet_loss,
    "fidelity": functional.fidelity_loss,
    "thurstone": functional.thurstone_loss,
    "relative_ranking": functional.relative_ranking_loss,
    "listnet": functional.listnet_loss,
    "listmle": functional.listmle_loss,
    "emd": functional.emd_loss,
    "cdf_quantile": functional.cdf_quantile_loss,
    "gaussian_nll": functional.gaussian_nll_loss,
    "mse": functional.mse_loss,
    "mae": functional.mae_loss,
    "smooth_l1": functional.smooth_l1_loss,
    "local_manifold": functional.local_manifold_loss,
    "consistency": functional.consistency_loss,
    "cross_entropy": functional.cross_entropy_loss,
}


def describe_losses() -> dict[str, str]:
    """Returns name and one-line description of every loss."""
    return {name: (inspect.getdoc(function) or "").split("\n")[0] for name, function in LOSSES.items()}
