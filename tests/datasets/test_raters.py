import numpy as np
import pytest
from scipy.stats import norm, spearmanr

from rankqa_datasets.raters import noise_ceiling, simulate_ratings


def test_shapes_and_ranges():
    quality = np.linspace(0, 1, 40)
    ratings = simulate_ratings(quality, num_raters=7, seed=0)
    assert ratings.target.shape == ratings.target_std.shape == ratings.votes.shape == (40,)
    assert ratings.target.min() >= 1
    assert ratings.target.max() <= 5
    assert set(ratings.votes) == {7}
    # Means of 7 whole votes.
    np.testing.assert_allclose(ratings.target * 7, np.rint(ratings.target * 7), atol=1e-9)


def test_seed_decides():
    quality = np.linspace(0, 1, 20)
    first, again, other = (simulate_ratings(quality, seed=seed).target for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_error_of_the_mean_is_as_the_model_says():
    # Without clipping and rounding: votes 3 + s (x - 3) + b + v e; at x = 3 the sensitivity has no part.
    quality = np.full(4000, 0.5)
    ratings = simulate_ratings(
        quality, num_raters=12, seed=1, bias_std=0.0, sensitivity_std=0.0, noise_std=0.2, five_levels=False
    )
    # E v^2 = 0.2^2 (1 + 0.8^2 / 12), and the mean of 12 has a twelfth of it.
    variance = 0.2**2 * (1 + 0.8**2 / 12)
    assert ratings.target.mean() == pytest.approx(3.0, abs=5 * np.sqrt(variance / 12 / 4000))
    assert ratings.target.var() == pytest.approx(variance / 12, rel=0.25)  # 12 raters' own v vary about it
    assert np.mean(ratings.target_std**2) == pytest.approx(12 * ratings.target.var(), rel=0.1)


def test_bias_moves_all_means_alike():
    quality = np.linspace(0.3, 0.7, 50)
    options = {"seed": 5, "sensitivity_std": 0.0, "noise_std": 0.0, "five_levels": False}
    ratings = simulate_ratings(quality, bias_std=0.1, **options)
    shift = ratings.target - (1 + 4 * quality)
    np.testing.assert_allclose(shift, shift[0], atol=1e-12)
    assert abs(shift[0]) < 5 * 0.1 / np.sqrt(18)
    assert noise_ceiling(ratings.target, quality) == pytest.approx(1.0)
    np.testing.assert_allclose(ratings.target_std, ratings.target_std[0], atol=1e-12)


def test_rounding_to_categories_has_the_expected_mean():
    # One vote is round(N(3, v)): P(4) = Phi(1.5/v) - Phi(0.5/v), and so on; symmetric, so the mean stays 3.
    ratings = simulate_ratings(
        np.full(6000, 0.5), num_raters=1, seed=2, bias_std=0.0, sensitivity_std=0.0, noise_std=1.0
    )
    # 6000 stimuli share the one rater's v, which is not known: it must explain both frequencies.
    share = {vote: np.mean(ratings.target == vote) for vote in (1, 2, 3, 4, 5)}
    v = 0.5 / norm.ppf((1 + share[3]) / 2)
    assert 0.55 < v < 1.45
    assert share[5] == pytest.approx(norm.sf(1.5 / v), abs=0.03)
    assert ratings.target.mean() == pytest.approx(3.0, abs=0.08)
    np.testing.assert_array_equal(ratings.target_std, 0.0)


def test_ceiling_is_scipys_srocc_and_rises_with_raters():
    quality = np.random.default_rng(0).uniform(size=300)
    ceilings = []
    for num_raters in (2, 8, 32):
        target = simulate_ratings(quality, num_raters=num_raters, seed=7).target
        ceilings.append(noise_ceiling(target, quality))
        assert ceilings[-1] == pytest.approx(spearmanr(target, quality)[0], abs=1e-12)
    assert ceilings == sorted(ceilings)
    assert 0.97 < simulated_default_ceiling(quality) < 0.995


def simulated_default_ceiling(quality: np.ndarray) -> float:
    return noise_ceiling(simulate_ratings(quality, seed=1).target, quality)


@pytest.mark.parametrize("quality", [np.zeros((2, 2)), np.array([0.5, 1.5]), np.array([np.nan])])
def test_bad_quality(quality):
    with pytest.raises(ValueError, match="expected quality"):
        simulate_ratings(quality, seed=0)


def test_no_rater():
    with pytest.raises(ValueError, match="at least 1 rater"):
        simulate_ratings(np.zeros(2), num_raters=0, seed=0)
