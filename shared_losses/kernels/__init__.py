"""The rank kernels by name."""

from shared_losses.kernels.box import BoxKernel
from shared_losses.kernels.laplace import LaplaceKernel
from shared_losses.kernels.rank_kernel import RankKernel
from shared_losses.kernels.smooth import LogisticKernel, NormalKernel
from shared_losses.kernels.triangle import TriangleKernel

KERNELS: dict[str, type[RankKernel]] = {
    "box": BoxKernel,
    "triangle": TriangleKernel,
    "laplace": LaplaceKernel,
    "logistic": LogisticKernel,
    "normal": NormalKernel,
}

__all__ = ["KERNELS", "BoxKernel", "LaplaceKernel", "LogisticKernel", "NormalKernel", "RankKernel", "TriangleKernel"]
