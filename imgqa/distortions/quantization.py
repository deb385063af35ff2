"""Grey-level quantisation of KADID-10k: as few values as possible, by thresholds that suit the image best."""

import numpy as np
from jaxtyping import Float, UInt8


def fewer_values(
    image: UInt8[np.ndarray, "H W 3"], thresholds: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "H W 3"]:
    """All values quantised by the best `thresholds` t_1 < ... < t_n of Otsu, red, green and blue together.

    As in KADID-10k's program, values up to t_1 become 0, those up to t_k become t_k, those above t_n 255.
    """
    cuts = otsu_thresholds(np.bincount(image.reshape(-1), minlength=256).astype(np.float64), int(thresholds))
    values = np.concatenate([[0], cuts[1:], [255]]).astype(np.uint8)
    return values[np.searchsorted(cuts, image)]


def otsu_thresholds(histogram: Float[np.ndarray, "256"], count: int) -> np.ndarray:
    """Upper bounds of the first `count` of count + 1 classes of least variance within (N. Otsu, 1979).

    The optimum itself, by dynamic programming over the last class; MATLAB's multithresh searches for it. With fewer
    values in the image than classes, the values themselves.
    """
    present = np.flatnonzero(histogram)
    if len(present) <= count + 1:
        return present[:-1] if len(present) > 1 else present
    weight, value = histogram[present], present.astype(np.float64)
    sums = [np.concatenate([[0], np.cumsum(weight * value**power)]) for power in range(3)]
    start, end = np.triu_indices(len(present) + 1, 1)
    mass, first, second = (s[end] - s[start] for s in sums)
    scatter = np.full((len(present) + 1,) * 2, np.inf)  # [start, end): summed squares about the mean
    scatter[start, end] = second - first**2 / mass
    best, choices = scatter[0], []
    for _ in range(count):
        total = best[:, None] + scatter
        choices.append(np.argmin(total, axis=0))
        best = np.min(total, axis=0)
    cut, cuts = len(present), []
    for choice in reversed(choices):
        cut = choice[cut]
        cuts.append(present[cut - 1])
    return np.array(cuts[::-1])
