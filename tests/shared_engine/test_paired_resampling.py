import numpy as np
import pytest
from scipy import stats

from shared_engine.intervals import draw_weights, percentile_interval
from shared_engine.paired_resampling import (
    BOOTSTRAPS,
    SWAPS,
    PairedScores,
    bootstrap_differences,
    swap_differences,
    swap_p,
)


def make(rng, contents=6, each=5, noise=(0.5, 0.5), spread=0.0, digits=None):
    """Two models whose errors have a part in common within each content."""
    group_of = np.repeat(np.arange(contents), each)
    targets = rng.normal(size=contents * each)
    errors = [s * rng.normal(size=targets.size) + spread * rng.normal(size=contents)[group_of] for s in noise]
    scores = [targets + error for error in errors]
    if digits is not None:
        targets, scores = np.round(targets, digits), [np.round(s, digits) for s in scores]
    return PairedScores(scores[0], scores[1], targets, group_of, contents)


def rmse(x, t):
    return np.sqrt(np.mean((x - t) ** 2))


def scipys(run):
    """Each criterion with the values that it is taken of."""
    return {
        "srocc": (run.ranks[:2], lambda x, t: stats.spearmanr(x, t).statistic),
        "krocc": (run.ranks[:2], lambda x, t: stats.kendalltau(x, t).statistic),
        "plcc_mapped": (run.mapped, lambda x, t: stats.pearsonr(x, t).statistic),
        "rmse": (run.mapped, rmse),
    }


@pytest.mark.parametrize("digits", [None, 0])
def test_bootstrap_equals_scipy_on_the_drawn_rows(digits):
    rng = np.random.default_rng(0)
    run = make(rng, digits=digits)
    weights = draw_weights(np.arange(6), 30, rng)
    for name, ((a, b), criterion) in scipys(run).items():
        for row, value in zip(weights, BOOTSTRAPS[name](run, weights), strict=True):
            drawn = np.repeat(np.arange(30), row[run.group_of].astype(int))
            t = run.targets[drawn]
            assert value == pytest.approx(criterion(a[drawn], t) - criterion(b[drawn], t), abs=1e-10)


@pytest.mark.parametrize("digits", [None, 0])
def test_swaps_equal_scipy_on_the_exchanged_scores(digits):
    rng = np.random.default_rng(1)
    run = make(rng, digits=digits)
    swapped = rng.integers(0, 2, (30, 6)).astype(float)
    for name, ((a, b), criterion) in scipys(run).items():
        # The ranks of exchanged ranks are not taken anew, so that SROCC is the correlation of the ranks as they were.
        test, t = (stats.pearsonr, run.ranks[2]) if name == "srocc" else (None, run.targets)
        for row, value in zip(swapped, SWAPS[name](run, swapped), strict=True):
            exchange = row[run.group_of] == 1
            x, y = np.where(exchange, b, a), np.where(exchange, a, b)
            expected = test(x, t).statistic - test(y, t).statistic if test else criterion(x, t) - criterion(y, t)
            assert value == pytest.approx(expected, abs=1e-10)


def test_all_exchanges_of_few_contents_equal_scipys_exact_test():
    run = make(np.random.default_rng(2), contents=8, each=1, noise=(0.3, 0.9))

    def difference(a, b):
        return rmse(a, run.targets) - rmse(b, run.targets)

    peer = stats.permutation_test(run.mapped, difference, permutation_type="samples", vectorized=False)
    found = swap_differences([run])["rmse"]
    assert len(found) == 2**8
    assert swap_p(found) == pytest.approx(peer.pvalue)


def test_exchanges_include_the_observed_difference_first():
    run = make(np.random.default_rng(3), contents=20)
    for name, values in swap_differences([run], resamples=200).items():
        assert len(values) == 200
        (a, b), criterion = scipys(run)[name]
        assert values[0] == pytest.approx(criterion(a, run.targets) - criterion(b, run.targets), abs=1e-10)


def test_equal_models_differ_by_nothing():
    run = make(np.random.default_rng(4))
    same = PairedScores(run.a, run.a.copy(), run.targets, run.group_of, run.groups)
    for differences in (bootstrap_differences([same], resamples=200), swap_differences([same])):
        assert all(np.allclose(values[np.isfinite(values)], 0, atol=1e-12) for values in differences.values())
    assert all(swap_p(values) == 1 for values in swap_differences([same]).values())


def test_several_runs_are_averaged_under_the_same_contents():
    rng = np.random.default_rng(5)
    runs = [make(rng), make(rng)]
    together = bootstrap_differences(runs, resamples=150)
    for name, values in together.items():
        apart = [bootstrap_differences([run], resamples=150)[name] for run in runs]
        assert values == pytest.approx(np.mean(apart, axis=0))


def test_a_run_without_a_drawn_content_is_left_out():
    rng = np.random.default_rng(6)
    whole = make(rng, contents=4)
    rows = whole.group_of == 3
    part = PairedScores(whole.a[rows], whole.b[rows], whole.targets[rows], whole.group_of[rows], 4)
    both = bootstrap_differences([whole, part], resamples=200)["rmse"]
    alone = bootstrap_differences([whole], resamples=200)["rmse"]
    assert np.isfinite(both).all()
    assert 20 < np.sum(both == alone) < 120


def test_type_one_error_and_coverage_over_contents():
    """Models of equal quality whose errors depend within contents: swaps of contents keep their 5 %, those of stimuli
    do not.
    """
    rng = np.random.default_rng(7)
    trials, of_contents, of_stimuli, covered = 300, 0, 0, 0
    for _ in range(trials):
        run = make(rng, contents=15, each=6, noise=(0.3, 0.3), spread=0.5)
        alone = PairedScores(run.a, run.b, run.targets, np.arange(90), 90)
        swapped = rng.integers(0, 2, (200, 15)).astype(float)
        swapped[0] = 0
        of_contents += swap_p(SWAPS["srocc"](run, swapped)) < 0.05
        swapped = rng.integers(0, 2, (200, 90)).astype(float)
        swapped[0] = 0
        of_stimuli += swap_p(SWAPS["srocc"](alone, swapped)) < 0.05
        low, high = percentile_interval(BOOTSTRAPS["srocc"](run, draw_weights(np.arange(15), 200, rng)))
        covered += low <= 0 <= high
    assert of_contents / trials < 0.08
    assert of_stimuli / trials > 0.12
    assert covered / trials > 0.88
