"""The losses as pure functions: scores and targets of a batch, and of a bank if there is one, to a scalar."""

from shared_losses.functional.asna import asna_loss
from shared_losses.functional.blackbox import blackbox_loss
from shared_losses.functional.cdf_quantile import cdf_quantile_loss
from shared_losses.functional.concordance import concordance_loss
from shared_losses.functional.consistency import consistency_loss
from shared_losses.functional.cross_entropy import cross_entropy_loss
from shared_losses.functional.emd import emd_loss
from shared_losses.functional.fidelity import fidelity_loss
from shared_losses.functional.gaussian_nll import gaussian_nll_loss
from shared_losses.functional.gcc import gcc_loss
from shared_losses.functional.gini import gini_loss
from shared_losses.functional.kendall import kendall_loss
from shared_losses.functional.listmle import listmle_loss
from shared_losses.functional.listnet import listnet_loss
from shared_losses.functional.local_manifold import local_manifold_loss
from shared_losses.functional.norm_in_norm import norm_in_norm_loss
from shared_losses.functional.normalized_error import normalized_error_loss
from shared_losses.functional.pairwise_hinge import pairwise_hinge_loss
from shared_losses.functional.permutahedron import permutahedron_loss, permutahedron_rank
from shared_losses.functional.plcc import plcc_loss
from shared_losses.functional.rank_plcc import rank_plcc_loss
from shared_losses.functional.ranknet import ranknet_loss
from shared_losses.functional.regression import mae_loss, mse_loss, smooth_l1_loss
from shared_losses.functional.relative_ranking import relative_ranking_loss
from shared_losses.functional.soft_rank import soft_rank
from shared_losses.functional.spearman import spearman_loss
from shared_losses.functional.thurstone import thurstone_loss

__all__ = [
    "asna_loss",
    "blackbox_loss",
    "cdf_quantile_loss",
    "concordance_loss",
    "consistency_loss",
    "cross_entropy_loss",
    "emd_loss",
    "fidelity_loss",
    "gaussian_nll_loss",
    "gcc_loss",
    "gini_loss",
    "kendall_loss",
    "listmle_loss",
    "listnet_loss",
    "local_manifold_loss",
    "mae_loss",
    "mse_loss",
    "norm_in_norm_loss",
    "normalized_error_loss",
    "pairwise_hinge_loss",
    "permutahedron_loss",
    "permutahedron_rank",
    "plcc_loss",
    "rank_plcc_loss",
    "ranknet_loss",
    "relative_ranking_loss",
    "smooth_l1_loss",
    "soft_rank",
    "spearman_loss",
    "thurstone_loss",
]
