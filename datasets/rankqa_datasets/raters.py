"""Simulated raters: opinion scores for the demo sets, where the true quality is known."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

SCALE_LOW, SCALE_HIGH = 1.0, 5.0


@dataclass(frozen=True)
class Ratings:
    """Opinions on N stimuli.

    Attributes:
        target: (N,) mean opinion score, 1 to 5.
        target_std: (N,) standard deviation of the votes over raters (with n - 1; 0 for a single rater).
        votes: (N,) number of votes.
    """

    target: np.ndarray
    target_std: np.ndarray
    votes: np.ndarray


def simulate_ratings(
    quality: np.ndarray,
    *,
    num_raters: int = 18,
    seed: int,
    bias_std: float = 0.4,
    sensitivity_std: float = 0.15,
    noise_std: float = 0.8,
    five_levels: bool = True,
) -> Ratings:
    """Opinion scores of raters who see every stimulus, each with a bias, a sensitivity and an inconsistency.

    Rater i gives stimulus j the vote

        u_ij = 3 + s_i (x_j - 3) + b_i + v_i e_ij,    x_j = 1 + 4 quality_j,

    with b_i ~ N(0, bias_std), log s_i ~ N(0, sensitivity_std), v_i = noise_std times a uniform number in [0.6, 1.4] and
    e_ij ~ N(0, 1), clipped to [1, 5] and, on a five-level scale, rounded to whole categories. Bias and inconsistency
    are the model of Z. Li and C. G. Bampis, "Recover Subjective Quality Scores from Noisy Measurements", DCC 2017
    (doi 10.1109/DCC.2017.26); the sensitivity, which stretches the scale about its middle, is added here because
    raters use the scale to different widths. Biases move all means alike, so that only inconsistency, rounding and
    clipping cost rank correlation.

    Args:
        quality: (N,) true quality from 0 to 1.
        num_raters: raters, at least 1.
        seed: of all random numbers.
        bias_std: standard deviation of the biases, in scale units.
        sensitivity_std: standard deviation of the logarithm of the sensitivities.
        noise_std: mean inconsistency, in scale units.
        five_levels: votes are 1, 2, 3, 4 or 5; otherwise any number between.

    Raises:
        ValueError: quality is not 1-D in [0, 1], or there is no rater.
    """
    quality = np.asarray(quality, dtype=np.float64)
    if quality.ndim != 1 or not np.all((quality >= 0) & (quality <= 1)):
        raise ValueError(f"expected quality (N,) in [0, 1], got shape {quality.shape}")
    if num_raters < 1:
        raise ValueError(f"expected at least 1 rater, got {num_raters}")
    rng = np.random.default_rng(seed)
    bias = rng.normal(0.0, bias_std, size=(num_raters, 1))
    sensitivity = np.exp(rng.normal(0.0, sensitivity_std, size=(num_raters, 1)))
    inconsistency = noise_std * rng.uniform(0.6, 1.4, size=(num_raters, 1))
    true_score = SCALE_LOW + (SCALE_HIGH - SCALE_LOW) * quality
    middle = (SCALE_LOW + SCALE_HIGH) / 2
    votes = middle + sensitivity * (true_score - middle) + bias
    votes = votes + inconsistency * rng.standard_normal((num_raters, len(quality)))
    votes = np.clip(np.rint(votes) if five_levels else votes, SCALE_LOW, SCALE_HIGH)
    return Ratings(
        target=votes.mean(axis=0),
        target_std=votes.std(axis=0, ddof=1 if num_raters > 1 else 0),
        votes=np.full(len(quality), num_raters),
    )


def noise_ceiling(targets: np.ndarray, quality: np.ndarray) -> float:
    """SROCC of simulated mean opinion scores (N,) with the true quality (N,): the best that a model can do."""
    # SROCC is the Pearson correlation of mean ranks; spearmanr's own result has no usable type.
    return float(np.corrcoef(rankdata(targets), rankdata(quality))[0, 1])
