from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from shared_engine.auc_comparison import auc_influence, grouped_difference, normal_difference
from shared_engine.krasula import KINDS, classify_pairs, rated_pairs, sum_by_contents


def naive_delong(positive, negative):
    """Area and the components of the two sides by their definition."""
    wins = np.array([[(p > n) + 0.5 * (p == n) for n in negative] for p in positive])
    return wins.mean(), wins.mean(axis=1), wins.mean(axis=0)


def test_delong_by_its_definition_and_the_area_by_scipy():
    rng = np.random.default_rng(0)
    positive, negative = rng.integers(0, 9, 20) + 1.0, rng.integers(0, 9, 30) + 0.0
    area, of_positive, of_negative = auc_influence(positive, negative)
    expected, v10, v01 = naive_delong(positive, negative)
    assert area == pytest.approx(expected)
    assert area == pytest.approx(stats.mannwhitneyu(positive, negative).statistic / 600)
    variance = np.var(v10, ddof=1) / 20 + np.var(v01, ddof=1) / 30
    assert np.sum(of_positive**2) + np.sum(of_negative**2) == pytest.approx(variance)


def test_delong_on_independent_items_keeps_its_five_percent():
    rng = np.random.default_rng(1)
    rejected = 0
    for _ in range(400):
        common = rng.normal(size=100)
        values = common + rng.normal(size=(2, 100))
        values[:, :50] += 1
        (area_a, *of_a), (area_b, *of_b) = (auc_influence(v[:50], v[50:]) for v in values)
        influence = np.concatenate(of_a) - np.concatenate(of_b)
        rejected += normal_difference(area_a - area_b, influence).p < 0.05
    assert 0.025 < rejected / 400 < 0.08


def test_pairs_by_a_loop():
    rng = np.random.default_rng(2)
    targets, std, votes = rng.integers(0, 5, 12) + 0.0, rng.random(12), rng.integers(5, 20, 12) + 0.0
    pairs = rated_pairs(targets, std, votes)
    for (i, j), first, second, preferred in zip(
        combinations(range(12), 2), pairs.first, pairs.second, pairs.preferred, strict=True
    ):
        z = (targets[j] - targets[i]) / np.sqrt(std[i] ** 2 / votes[i] + std[j] ** 2 / votes[j])
        assert (first, second) == (i, j)
        assert preferred == (np.sign(z) if stats.norm.cdf(abs(z)) >= 0.95 else 0)


def test_raters_who_all_agree_tell_every_difference():
    pairs = rated_pairs(np.array([1.0, 2.0, 2.0]), np.zeros(3), np.ones(3))
    assert pairs.preferred.tolist() == [1, 1, 0]


def test_three_values_by_a_loop():
    rng = np.random.default_rng(3)
    targets = rng.normal(size=15)
    scores = np.round(targets + rng.normal(0, 0.5, 15), 1)
    pairs = rated_pairs(targets, np.full(15, 0.8), np.full(15, 8.0))
    found = classify_pairs(scores, pairs)
    gains = [(scores[j] - scores[i], p) for i, j, p in zip(pairs.first, pairs.second, pairs.preferred, strict=True)]
    different, similar = [abs(g) for g, p in gains if p], [abs(g) for g, p in gains if not p]
    better = [g * p for g, p in gains if p]
    assert found["different_similar"].value == pytest.approx(naive_delong(different, similar)[0])
    assert found["better_worse"].value == pytest.approx(naive_delong(better, [-b for b in better])[0])
    assert found["correct_order"].value == pytest.approx(np.mean(np.array(better) > 0))


def test_both_directions_of_a_pair_are_one_item():
    """The deviation of the area over independent pairs is the one estimated; as two items it came out sqrt(2) less."""
    rng = np.random.default_rng(4)
    areas, estimated = [], []
    for _ in range(400):
        oriented = rng.normal(0.7, 1, 100)
        area, as_better, as_worse = auc_influence(oriented, -oriented)
        areas.append(area)
        estimated.append(np.sum((as_better + as_worse) ** 2))
    assert np.sqrt(np.mean(estimated)) == pytest.approx(np.std(areas), rel=0.1)


def test_perfect_and_reversed_scores():
    targets = np.arange(10.0)
    pairs = rated_pairs(targets, np.full(10, 1.0), np.full(10, 4.0))
    right, wrong = (classify_pairs(sign * targets, pairs) for sign in (1, -1))
    assert [right[kind].value for kind in KINDS] == [1, 1, 1]
    assert [wrong[kind].value for kind in KINDS] == [1, 0, 0]
    # A monotone mapping with a slope changes neither order nor direction.
    assert classify_pairs(3 * targets + 1, pairs)["better_worse"].value == 1


def test_without_pairs_of_a_kind_values_are_nan():
    alike = rated_pairs(np.array([1.0, 1.1, 1.2]), np.ones(3), np.ones(3))
    assert all(np.isnan(found.value) for found in classify_pairs(np.arange(3.0), alike).values())
    apart = rated_pairs(np.array([1.0, 5.0, 9.0]), np.ones(3) / 9, np.ones(3))
    found = classify_pairs(np.arange(3.0), apart)
    assert np.isnan(found["different_similar"].value)
    assert found["better_worse"].value == 1


def test_sums_and_variance_by_contents_by_a_loop():
    rng = np.random.default_rng(5)
    group_of = np.array([0, 0, 1, 1, 2, 3, 3])
    pairs = rated_pairs(np.arange(7.0), np.ones(7), np.ones(7))
    influence = rng.normal(size=21)
    sums = sum_by_contents(influence, pairs, group_of, 4)
    dyads = [frozenset((group_of[i], group_of[j])) for i, j in zip(pairs.first, pairs.second, strict=True)]
    for c in range(4):
        for d in range(4):
            assert sums[c, d] == pytest.approx(sum(x for x, own in zip(influence, dyads, strict=True) if own == {c, d}))
    variance = sum(influence[p] * influence[q] for p in range(21) for q in range(21) if dyads[p] & dyads[q])
    found = grouped_difference(0.3, sums)
    if variance > 0:
        t = 0.3 / np.sqrt(variance)
        assert found.p == pytest.approx(2 * stats.t.sf(t, 3))
        assert found.interval[1] == pytest.approx(0.3 + stats.t.ppf(0.975, 3) / t * 0.3)
    else:
        assert found.p is None


def test_pairs_of_stimuli_are_not_independent():
    """Two models of equal quality: grouped by content 5 % are told apart, taken as independent pairs far more."""
    rng = np.random.default_rng(6)
    group_of, trials = np.repeat(np.arange(20), 4), 200
    rejected = {kind: [0, 0] for kind in KINDS}
    for _ in range(trials):
        targets = rng.normal(size=80)
        pairs = rated_pairs(targets, np.full(80, 0.8), np.full(80, 10.0))
        errors = 0.4 * rng.normal(size=(2, 80)) + 0.4 * rng.normal(size=(2, 20))[:, group_of]
        a, b = (classify_pairs(targets + error, pairs) for error in errors)
        for kind, counts in rejected.items():
            value, influence = a[kind].value - b[kind].value, a[kind].influence - b[kind].influence
            grouped = grouped_difference(value, sum_by_contents(influence, pairs, group_of, 20))
            counts[0] += grouped.p is not None and grouped.p < 0.05
            counts[1] += normal_difference(value, influence).p < 0.05
    for kind in KINDS:
        assert rejected[kind][0] / trials < 0.1, rejected
        assert rejected[kind][1] / trials > 0.25, rejected
