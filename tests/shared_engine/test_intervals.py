import numpy as np
import pytest
from scipy import stats

from shared_engine import intervals
from shared_engine.intervals import bonett_wright_interval, bootstrap_intervals


def test_bonett_wright_reference_value():
    # Printed by ci.spear of statpsych for r = 0.8699639, n = 15.
    low, high = bonett_wright_interval(0.8699639, 15)
    assert (low, high) == pytest.approx((0.5840951, 0.9638297), abs=1e-7)
    assert bonett_wright_interval(0.5, 3) is None


def test_own_contents_give_scipys_bootstrap():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=60)
    targets = scores + rng.normal(0, 0.7, 60)
    ours = bootstrap_intervals(scores, targets, [str(i) for i in range(60)], resamples=2000)
    peer = stats.bootstrap(
        (scores, targets), lambda x, y: stats.spearmanr(x, y).statistic, paired=True, vectorized=False,
        n_resamples=2000, method="percentile", rng=1,
    ).confidence_interval  # fmt: skip
    assert ours.unit == "content"
    assert ours.srocc == pytest.approx((peer.low, peer.high), abs=0.03)
    assert ours.plcc_mapped[0] < stats.pearsonr(scores, targets).statistic < ours.plcc_mapped[1] + 0.05


def test_equal_stimuli_of_a_content_do_not_narrow_the_interval():
    rng = np.random.default_rng(1)
    scores, targets = rng.normal(size=(2, 25))
    contents = [str(i) for i in range(25)]
    once = bootstrap_intervals(scores, targets, contents)
    ten_times = bootstrap_intervals(np.tile(scores, 10), np.tile(targets, 10), contents * 10)
    assert ten_times.srocc == pytest.approx(once.srocc, abs=0.06)


def test_one_content_resamples_stimuli_and_says_so():
    rng = np.random.default_rng(2)
    scores = rng.normal(size=20)
    found = bootstrap_intervals(scores, scores + rng.normal(size=20), ["a"] * 20)
    assert found.unit == "stimulus"
    assert found.srocc[0] < found.srocc[1]


def test_constant_scores_have_no_interval():
    assert bootstrap_intervals(np.ones(6), np.arange(6.0), list("abcdef")).srocc is None


def test_weighted_criteria_equal_scipy_on_the_drawn_rows():
    rng = np.random.default_rng(4)
    x, y = rng.integers(0, 9, 30).astype(float), rng.integers(0, 9, 30).astype(float)
    group_of = np.arange(30) % 7
    weights = intervals.draw_weights(group_of, 40, rng)
    ours = zip(
        intervals.weighted_plcc(
            intervals.weighted_midranks(x, weights), intervals.weighted_midranks(y, weights), weights
        ),
        intervals._weighted_krocc(x, y, weights),
        intervals.weighted_plcc(x, y, weights),
        strict=True,
    )
    for row, values in zip(weights, ours, strict=True):
        drawn = np.repeat(np.arange(30), row.astype(int))
        expected = [test(x[drawn], y[drawn]).statistic for test in (stats.spearmanr, stats.kendalltau, stats.pearsonr)]
        assert values == pytest.approx(expected, abs=1e-12)
