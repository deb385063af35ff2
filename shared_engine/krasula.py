"""How well scores tell stimuli apart that raters tell apart: the analysis of Krasula et al. (QoMEX 2016).

No mapping is needed, and differences that the raters did not establish do not count. Pairs of stimuli are not
independent, since each stimulus is in many of them: a test that takes them for independent claims too much.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_engine.auc_comparison import auc_influence

Array = NDArray[np.float64]
KINDS: tuple[str, ...] = ("different_similar", "better_worse", "correct_order")

# One-sided 5 % of the normal distribution, as ITU-T J.149 has it and Krasula et al. after it.
SIGNIFICANT = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class Pairs:
    """All pairs of N stimuli as (P,) rows i < j, and whether the raters find j better (1), worse (-1) or alike (0)."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    preferred: NDArray[np.int8]


def rated_pairs(targets: Array, target_std: Array, votes: Array) -> Pairs:
    """Pairs whose mean opinions differ by at least 1.645 standard errors, z = |dMOS| / sqrt(s_i^2/n_i + s_j^2/n_j).

    Args:
        targets: (N,) mean opinions.
        target_std: (N,) their standard deviation over raters, at least 0.
        votes: (N,) number of raters, positive.
    """
    first, second = np.triu_indices(len(targets), 1)
    variance = target_std**2 / votes
    gain = targets[second] - targets[first]
    error = np.sqrt(variance[first] + variance[second])
    # A product in place of the ratio: raters who all agree leave no error to divide by.
    differs = (np.abs(gain) >= SIGNIFICANT * error) & (gain != 0)
    return Pairs(first, second, np.where(differs, np.sign(gain), 0).astype(np.int8))


@dataclass(frozen=True, slots=True)
class PairClassification:
    """One of the three values of Krasula et al. in [0, 1], higher is better, and how each pair (P,) moves it.

    NaN, and influences of 0, where no pair counts: all pairs differ, or none do.
    """

    value: float
    influence: Array


def classify_pairs(scores: Array, pairs: Pairs) -> dict[str, PairClassification]:
    """The three values of one model.

    - `different_similar`: area under the ROC curve of |score difference|, pairs that raters tell apart against those
      that they do not.
    - `better_worse`: of the signed score difference, each pair that raters tell apart in both directions. The two
      directions mirror each other and are one item: taken for two, as the program of the paper takes them, they halve
      the variance.
    - `correct_order`: C0, the share of these pairs whose scores are in the raters' order; equal scores are not.

    Args:
        scores: (N,) finite.
        pairs: of the same N stimuli.
    """
    gain = scores[pairs.second] - scores[pairs.first]
    differs = pairs.preferred != 0
    found = dict.fromkeys(KINDS, PairClassification(float("nan"), np.zeros(len(gain))))
    area, of_different, of_similar = auc_influence(np.abs(gain[differs]), np.abs(gain[~differs]))
    influence = np.zeros(len(gain))
    influence[differs], influence[~differs] = of_different, of_similar
    found["different_similar"] = PairClassification(area, influence)
    if differs.any():
        oriented = gain[differs] * pairs.preferred[differs]
        area, as_better, as_worse = auc_influence(oriented, -oriented)
        found["better_worse"] = PairClassification(area, _spread(as_better + as_worse, differs))
        right = (oriented > 0).astype(np.float64)
        share = float(right.mean())
        found["correct_order"] = PairClassification(share, _spread((right - share) / len(right), differs))
    return found


def _spread(values: Array, where: NDArray[np.bool_]) -> Array:
    """Values of the chosen pairs among zeros for all others."""
    spread = np.zeros(len(where))
    spread[where] = values
    return spread


def sum_by_contents(influence: Array, pairs: Pairs, group_of: NDArray[np.intp], groups: int) -> Array:
    """(C, C) symmetric sums of the influences of the pairs between two contents; within one on the diagonal.

    Args:
        influence: (P,) of the pairs.
        pairs: of N stimuli.
        group_of: (N,) number of each stimulus's content, from 0.
        groups: C.
    """
    c, d = group_of[pairs.first], group_of[pairs.second]
    sums = np.asarray(np.bincount(c * groups + d, influence, groups * groups), np.float64).reshape(groups, groups)
    return sums + sums.T - np.diag(np.diag(sums))
