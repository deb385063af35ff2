import numpy as np
import pytest
from scipy import stats

from shared_engine.dependent_correlation import meng_test, steiger_test, williams_test


def test_published_examples():
    # Silver, Hittner and May, Applied Psychological Measurement 30 (2006).
    for test, statistic, p in ((williams_test, -1.0767, 0.2843), (steiger_test, -1.0718, 0.2838)):
        found = test(0.3, 0.4, 0.5, 100)
        assert (found.statistic, found.p) == pytest.approx((statistic, p), abs=5e-5)
    found = meng_test(0.3, 0.4, 0.5, 100)
    assert (found.statistic, found.p) == pytest.approx((-1.0707, 0.2843), abs=5e-5)
    # The example of Meng, Rosenthal and Rubin (1992), one-sided.
    found = meng_test(0.63, -0.03, -0.19, 15)
    assert (found.statistic, found.p / 2) == pytest.approx((1.68, 0.047), abs=0.005)
    # Steiger (1980), case A, with his equations evaluated without his rounding of the covariance.
    assert steiger_test(0.4, 0.5, 0.1, 103).statistic == pytest.approx(-0.8887185, abs=1e-7)


@pytest.mark.parametrize("test", [williams_test, steiger_test, meng_test])
def test_equal_correlations_are_told_apart_in_five_percent(test):
    rng = np.random.default_rng(0)
    correlations = np.linalg.cholesky([[1, 0.8, 0.8], [0.8, 1, 0.8], [0.8, 0.8, 1]])
    rejected = 0
    for _ in range(2000):
        r = np.corrcoef(correlations @ rng.normal(size=(3, 60)))
        rejected += test(float(r[0, 1]), float(r[0, 2]), float(r[1, 2]), 60).p < 0.05
    # Within three standard errors of 5 %.
    assert 0.035 < rejected / 2000 < 0.065


@pytest.mark.parametrize("test", [williams_test, steiger_test, meng_test])
def test_swapped_predictors_change_the_sign(test):
    one, other = test(0.7, 0.5, 0.6, 40), test(0.5, 0.7, 0.6, 40)
    assert one.statistic == pytest.approx(-other.statistic)
    assert one.statistic > 0
    assert one.p == pytest.approx(other.p)


def test_independent_predictors_of_many_items_give_the_test_of_independent_correlations():
    # With r_ab = r_a r_b and small correlations the covariance of the transformed correlations vanishes.
    z = (np.arctanh(0.05) - np.arctanh(0.03)) / np.sqrt(2 / 9997)
    expected = 2 * stats.norm.sf(z)
    for test in (williams_test, steiger_test, meng_test):
        assert test(0.05, 0.03, 0.0015, 10_000).p == pytest.approx(expected, abs=0.002)


def test_bad_input():
    with pytest.raises(ValueError, match="at least 4 items, got 3"):
        williams_test(0.5, 0.4, 0.3, 3)
    with pytest.raises(ValueError, match="between -1 and 1"):
        meng_test(1.0, 0.4, 0.3, 9)
    with pytest.raises(ValueError, match="no three variables"):
        steiger_test(0.9, -0.9, 0.9, 9)
