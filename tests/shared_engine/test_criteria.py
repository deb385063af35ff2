import numpy as np
import pytest
from scipy import stats

from shared_engine.criteria import compute_criteria
from shared_engine.score_mapping import fit_mapping


def test_equals_scipy_with_ties():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 12, 80).astype(float)
    targets = np.round(scores + rng.normal(0, 3, 80))
    criteria = compute_criteria(scores, targets)
    assert criteria.n == 80
    assert criteria.srocc == pytest.approx(stats.spearmanr(scores, targets).statistic, abs=1e-12)
    assert criteria.krocc == pytest.approx(stats.kendalltau(scores, targets).statistic, abs=1e-12)
    assert criteria.plcc == pytest.approx(stats.pearsonr(scores, targets).statistic, abs=1e-12)


def test_rmse_and_outlier_ratio_follow_the_mapping():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=50)
    targets = 3 * scores + 2 + rng.normal(0, 0.5, 50)
    spread = np.full(50, 0.3)
    spread[:10] = np.nan
    criteria = compute_criteria(scores, targets, spread)
    residuals = fit_mapping(scores, targets)(scores) - targets
    assert criteria.rmse == pytest.approx(np.sqrt(np.mean(residuals**2)))
    assert criteria.outlier_ratio == pytest.approx(np.mean(np.abs(residuals[10:]) > 0.6))


@pytest.mark.parametrize("scores", [[1.0, 1.0, 1.0], [2.0]])
def test_undefined_values_are_none_not_nan(scores):
    criteria = compute_criteria(np.array(scores), np.arange(len(scores), dtype=float))
    assert criteria.srocc is None
    assert criteria.rmse is None


@pytest.mark.parametrize(
    ("scores", "targets"), [([1.0, np.nan], [1.0, 2.0]), ([1.0, 2.0], [1.0, np.inf]), ([1.0, 2.0], [1.0, 2.0, 3.0])]
)
def test_refuses_what_is_not_finite_or_not_paired(scores, targets):
    with pytest.raises(ValueError, match=r"finite|equal length"):
        compute_criteria(np.array(scores), np.array(targets))


def test_mapping_recovers_a_logistic_on_any_scale_of_scores():
    rng = np.random.default_rng(2)
    for scale, shift in ((1.0, 0.0), (1e-4, 5.0), (1e5, -3e6)):
        x = rng.uniform(-3, 3, 200)
        targets = 80 / (1 + np.exp(-(x - 0.4) / 0.6)) + 10
        mapping = fit_mapping(x * scale + shift, targets)
        assert mapping.form == "logistic4"
        np.testing.assert_allclose(mapping(x * scale + shift), targets, atol=1e-3)


def test_mapping_is_monotone_and_never_worse_than_a_line():
    rng = np.random.default_rng(3)
    for seed in range(20):
        scores = rng.standard_t(2, 40)
        targets = rng.choice([1.0, -1.0]) * np.tanh(scores) + rng.normal(0, 0.3, 40)
        mapped = fit_mapping(scores, targets)(np.sort(scores))
        steps = np.diff(mapped)
        assert (steps >= -1e-12).all() or (steps <= 1e-12).all(), seed
        line = np.polyval(np.polyfit(scores, targets, 1), scores)
        error = np.sum((fit_mapping(scores, targets)(scores) - targets) ** 2)
        assert error <= np.sum((line - targets) ** 2) * (1 + 1e-9)


def test_few_stimuli_get_a_line():
    assert fit_mapping(np.arange(5.0), np.array([0.0, 2.0, 1.0, 4.0, 3.0])).form == "linear"


def test_a_five_parameter_mapping_recovers_its_own_form():
    x = np.random.default_rng(4).uniform(-3, 3, 300)
    targets = 30 * (0.5 - 1 / (1 + np.exp(4 * (x - 0.5)))) + 3 * x + 50
    for scale, shift in ((1.0, 0.0), (1e-4, 5.0), (1e5, -3e6)):
        mapping = fit_mapping(x * scale + shift, targets, "logistic5")
        assert mapping.form == "logistic5"
        np.testing.assert_allclose(mapping(x * scale + shift), targets, atol=1e-3)


@pytest.mark.parametrize(("form", "degree"), [("cubic", 3), ("linear", 1)])
def test_polynomials_are_those_of_numpy(form, degree):
    rng = np.random.default_rng(5)
    scores, targets = rng.normal(3, 2, 50), rng.normal(0, 1, 50)
    expected = np.polyval(np.polyfit(scores, targets, degree), scores)
    np.testing.assert_allclose(fit_mapping(scores, targets, form)(scores), expected, atol=1e-9)


def test_a_richer_form_fits_no_worse():
    rng = np.random.default_rng(6)
    for _ in range(10):
        scores = rng.normal(0, 1, 60)
        targets = np.tanh(2 * scores) + 0.2 * scores + rng.normal(0, 0.2, 60)
        errors = [np.sum((fit_mapping(scores, targets, f)(scores) - targets) ** 2) for f in ("linear", "logistic5")]
        assert errors[1] <= errors[0]
