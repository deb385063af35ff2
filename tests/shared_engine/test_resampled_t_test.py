import numpy as np
import pytest
from scipy import stats

from shared_engine.resampled_t_test import resampled_t_test


def test_without_correction_equals_scipy():
    rng = np.random.default_rng(0)
    values = rng.normal(0.3, 1, 12)
    peer = stats.ttest_1samp(values, 0)
    interval = peer.confidence_interval()
    found = resampled_t_test(values.tolist())
    assert (found.t, found.p, found.low, found.high) == pytest.approx(
        (peer.statistic, peer.pvalue, interval.low, interval.high)
    )
    assert (found.mean, found.runs) == (pytest.approx(values.mean()), 12)


def test_the_correction_by_its_formula():
    values = [0.02, -0.01, 0.03, 0.04, 0.01]
    found = resampled_t_test(values, test_to_train=0.25)
    t = np.mean(values) / np.sqrt((1 / 5 + 0.25) * np.var(values, ddof=1))
    assert found.t == pytest.approx(t)
    assert found.p == pytest.approx(2 * (1 - stats.t.cdf(t, 4)))
    assert found.low == pytest.approx(found.mean - stats.t.ppf(0.975, 4) * found.mean / found.t)


def test_type_one_error_over_overlapping_splits():
    """Two learners of equal skill: the mean of one half of the features each, on random 80/20 splits of 100 items."""
    rng = np.random.default_rng(1)
    plain, corrected, trials = 0, 0, 400
    for _ in range(trials):
        x = rng.normal(size=(2, 100))
        y = x.sum(axis=0) + rng.normal(size=100)
        differences = []
        for _ in range(10):
            order = rng.permutation(100)
            train, test = order[:80], order[80:]
            errors = []
            for feature in x:
                slope, offset = np.polyfit(feature[train], y[train], 1)
                errors.append(np.mean((slope * feature[test] + offset - y[test]) ** 2))
            differences.append(errors[0] - errors[1])
        plain += resampled_t_test(differences).p < 0.05
        corrected += resampled_t_test(differences, test_to_train=0.25).p < 0.05
    assert plain / trials > 0.2
    assert corrected / trials < 0.08


def test_equal_differences():
    assert resampled_t_test([0.0, 0.0]).p == 1
    assert resampled_t_test([0.5, 0.5, 0.5]).p == 0


def test_bad_input():
    with pytest.raises(ValueError, match="at least 2 differences"):
        resampled_t_test([0.1])
    with pytest.raises(ValueError, match="ratio of at least 0"):
        resampled_t_test([0.1, 0.2], test_to_train=-1.0)
