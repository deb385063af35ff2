"""Regressors on rows of features: the formulas of scikit-learn's own pipelines, and what does not matter."""

import numpy as np
import pytest

from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import read_manifest
from rankqa_datasets.split import Split, folds_by_content
from shared_engine.criteria import plcc, srocc
from shared_engine.features.regression import read_features, regress_over_folds
from shared_engine.features.regressors import REGRESSORS, Regressor, on_target_scale, predict_scores
from shared_engine.intervals import bootstrap_intervals
from shared_engine.names import UsageProblem

pytest.importorskip("sklearn", reason="needs scikit-learn: pip install 'rankqa[features]'")


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 4)) * [1, 1e4, 1e-3, 1] + [0, 5, 1, 7]
    return features, 3 + features[:, 0] - 1e-4 * features[:, 1] + rng.normal(0, 0.1, 60)


def test_support_vectors_equal_a_pipeline_of_scikit_learn(rows):
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVR

    features, targets = rows
    pipeline = TransformedTargetRegressor(make_pipeline(StandardScaler(), SVR()), transformer=StandardScaler())
    expected = pipeline.fit(features[:40], targets[:40]).predict(features[40:])
    found = predict_scores("svr", features[:40], targets[:40], features[40:])
    np.testing.assert_allclose(on_target_scale("svr", found, targets[:40]), expected, rtol=1e-9)
    assert np.corrcoef(found, targets[40:])[0, 1] > 0.9


def test_extra_trees_equal_those_of_scikit_learn_and_follow_their_seed(rows):
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.preprocessing import StandardScaler

    features, targets = rows
    scaler = StandardScaler().fit(features[:40])
    trees = ExtraTreesRegressor(random_state=3).fit(scaler.transform(features[:40]), targets[:40])
    found = [predict_scores("extra-trees", features[:40], targets[:40], features[40:], seed=seed) for seed in (3, 3, 4)]
    np.testing.assert_allclose(found[0], trees.predict(scaler.transform(features[40:])), rtol=1e-9)
    assert on_target_scale("extra-trees", found[0], targets) is found[0]
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_scales_and_constant_features_do_not_matter(rows, regressor):
    features, targets = rows
    plain = predict_scores(regressor, features[:40], targets[:40], features[40:])
    # By powers of two, so that trees meet the same draws and nothing is rounded.
    other = predict_scores(regressor, features[:40] * 8, targets[:40] * 4, features[40:] * 8)
    plain, other = on_target_scale(regressor, plain, targets[:40]), on_target_scale(regressor, other, targets[:40] * 4)
    np.testing.assert_allclose(other, plain * 4, rtol=1e-12)


def test_a_feature_that_is_constant_in_training_is_ignored(rows):
    features, targets = rows
    # The mean of 40 times 0.1 is not 0.1; in the test part the feature varies.
    constant = np.r_[np.full(40, 0.1), np.linspace(-1e9, 1e9, 20)]
    wider = np.column_stack([features, constant])
    found = predict_scores("svr", wider[:40], targets[:40], wider[40:])
    expected = predict_scores("svr", features[:40], targets[:40], features[40:])
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_folds_are_judged_each_and_pooled(table):
    stimuli = read_manifest(table, files=False).stimuli
    features = read_features(table, stimuli)
    assert features.shape == (80, 5)
    assert features[3, 0] == float(table.read_text().splitlines()[4].split(",")[5])
    splits = folds_by_content(stimuli, folds=4)
    report = regress_over_folds("svr", stimuli, features, splits)
    scores = {}
    for fold, split in zip(report.folds, splits, strict=True):
        train = [i for i, s in enumerate(stimuli) if split.parts[s.id] == "train"]
        test = [i for i, s in enumerate(stimuli) if split.parts[s.id] == "test"]
        targets = np.array([s.target for s in stimuli])
        expected = predict_scores("svr", features[train], targets[train], features[test])
        assert [s.id for s in fold.tested] == [stimuli[i].id for i in test]
        assert fold.scores == tuple(on_target_scale("svr", expected, targets[train]))
        assert (fold.n, fold.srocc, fold.plcc) == (20, srocc(expected, targets[test]), plcc(expected, targets[test]))
        scores |= dict(zip([s.id for s in fold.tested], fold.scores, strict=True))
    assert (report.pooled_n, report.pooled_contents, len(scores)) == (80, 16, 80)
    tested = [s for fold in report.folds for s in fold.tested]
    pooled = np.array([scores[s.id] for s in tested]), np.array([s.target for s in tested])
    intervals = bootstrap_intervals(*pooled, [s.content for s in tested])
    assert report.pooled_srocc == srocc(*pooled)
    assert report.pooled_srocc is not None
    assert report.pooled_srocc > 0.8
    assert (report.pooled_srocc_interval, report.pooled_plcc_interval) == (intervals.srocc, intervals.plcc)
    assert report.srocc_mean == pytest.approx(np.mean([fold.srocc or 0 for fold in report.folds]))
    assert report.plcc_std == pytest.approx(np.std([fold.plcc or 0 for fold in report.folds], ddof=1))


def test_a_validation_part_is_left_out(table):
    stimuli = read_manifest(table, files=False).stimuli
    features = read_features(table, stimuli)
    (split, *_) = folds_by_content(stimuli, folds=4)
    held = [s.id for s in stimuli if split.parts[s.id] == "train" and s.content in ("c1", "c2", "c3")]
    validated = Split({id_: "validation" if id_ in held else part for id_, part in split.parts.items()})
    without = regress_over_folds("svr", stimuli, features, [validated])
    poisoned = features.copy()
    poisoned[[i for i, s in enumerate(stimuli) if s.id in held]] = 1e9
    again = regress_over_folds("svr", stimuli, poisoned, [validated])
    assert held
    assert without.folds[0].scores == again.folds[0].scores
    assert without.folds[0].scores != regress_over_folds("svr", stimuli, features, [split]).folds[0].scores


def test_what_cannot_be_regressed_is_refused(table, monkeypatch):
    stimuli = read_manifest(table, files=False).stimuli
    features = read_features(table, stimuli)
    (split, *_) = folds_by_content(stimuli, folds=4)
    with pytest.raises(InputError, match="trains on 0 stimuli and tests 80, expected at least 2 of each"):
        regress_over_folds("svr", stimuli, features, [Split({s.id: "test" for s in stimuli})])
    with pytest.raises(InputError, match="expected training targets that differ, got 3 times 2"):
        predict_scores("svr", features[:3], np.full(3, 2.0), features[3:])
    header, *lines = table.read_text().splitlines()
    mixed = [f"{line},{'one' if i % 2 else 'other'}" for i, line in enumerate(lines)]
    table.with_name("mixed.csv").write_text("\n".join([f"{header},database", *mixed]))
    databases = read_manifest(table.with_name("mixed.csv"), files=False).stimuli
    with pytest.raises(InputError, match=r"expected stimuli of one database.* got 'one', 'other'"):
        regress_over_folds("svr", databases, features, [split])
    leaking = [f"{line},{line.split(',')[1]}" for line in lines]
    table.with_name("leak.csv").write_text("\n".join([f"{header},mos", *leaking]))
    with pytest.raises(InputError, match="the column 'mos' equals the target in every row"):
        read_features(table.with_name("leak.csv"), stimuli)

    def missing(*_):
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")

    monkeypatch.setitem(REGRESSORS, "svr", Regressor(missing, standardises_targets=True))
    with pytest.raises(UsageProblem, match=r"pip install 'rankqa\[features\]'"):
        predict_scores("svr", features[:3], np.arange(3.0), features[3:])
