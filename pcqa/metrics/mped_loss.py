"""MPED of positions alone, as a loss between batches of clouds."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pcqa.ops import knn

SCALES = (10, 5, 1)
# Keeps the gradient finite where a point is its own neighbour.
EPS = 1e-10


def mped_loss(points: Float[Tensor, "b p 3"], targets: Float[Tensor, "b q 3"]) -> Float[Tensor, ""]:
    """Multiscale potential energy discrepancy between clouds without colours: 0 for equal ones, lower is better.

    Each point is a centre once, with its k nearest points in both clouds, for k of 10, 5 and 1. The energy is the sum
    of d^2 / sqrt(d^2 + 1e-10), and of d^2 for k = 1. The loss is |E_own - E_other|, summed over the scales and both
    directions, averaged over the centres and the batch. It is sensitive to density, which Chamfer's distance hardly is.
    The choice of neighbours has no gradient; the kinks, where two energies are equal, have gradient 0.

    Source: Qi-Yangsjtu/MPED, CV task (IEEE TPAMI 2023), without its padded clouds of different sizes.

    Args:
        points: (b, p, 3) such as a network's output, p >= 10. Half precision is searched and summed in float32.
        targets: (b, q, 3), q >= 10, same b. Both get a gradient.

    Returns:
        A scalar in the unit of length, but for k = 1, which is in its square: scale clouds to a common size first.

    Raises:
        ValueError: fewer than 10 points in a cloud, no clouds, or batches of different size.
    """
    fewest = min(points.shape[1], targets.shape[1])
    if fewest < max(SCALES) or len(points) == 0 or len(points) != len(targets):
        raise ValueError(
            f"mped_loss needs clouds of at least {max(SCALES)} points in batches of one size, "
            f"got shapes {tuple(points.shape)} and {tuple(targets.shape)}"
        )
    if points.dtype in (torch.float16, torch.bfloat16):
        points = points.float()
    targets = targets.to(points.dtype)
    return _one_way(points, targets) + _one_way(targets, points)


def _one_way(centers: Tensor, others: Tensor) -> Tensor:
    own, other = _squared_distances(centers, centers), _squared_distances(centers, others)
    differences = [(_energy(own, k) - _energy(other, k)).abs().mean() for k in SCALES]
    return torch.stack(differences).sum()


def _energy(squares: Float[Tensor, "b p 10"], k: int) -> Float[Tensor, "b p"]:
    if k == 1:
        return squares[:, :, 0]
    squares = squares[:, :, :k]
    return (squares / (squares + EPS).sqrt()).sum(-1)


def _squared_distances(centers: Float[Tensor, "b p 3"], others: Float[Tensor, "b q 3"]) -> Float[Tensor, "b p 10"]:
    rows, _ = knn(centers, others, max(SCALES))
    return (_gather(others, rows) - centers.unsqueeze(2)).square().sum(-1)


def _gather(points: Float[Tensor, "b q 3"], rows: Int64[Tensor, "b p k"]) -> Float[Tensor, "b p k 3"]:
    batch = torch.arange(len(points), device=points.device)[:, None, None]
    return points[batch, rows]
