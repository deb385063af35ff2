"""Who wins, by how much, and how sure."""

import math

import pytest
from scipy import stats

from rankqa_datasets.errors import InputError
from shared_engine.names import UsageProblem
from shared_engine.report.contest import POOLED, contests
from shared_engine.report.estimate import Estimate, pool
from shared_engine.report.evidence import collect_evidence
from shared_engine.report.verdict import verdict


def srocc_of(evidence, group, **settings):
    return {
        (o.settings.get("engine.batch_size"), o.seed): o.summary["srocc"]
        for o in evidence.outcomes
        if o.group == group and all(o.settings[axis] == value for axis, value in settings.items())
    }


def test_the_winner_is_the_paired_t_test_over_seeds(sweep):
    evidence = collect_evidence([sweep])
    assert evidence.axes == ("loss", "engine.batch_size")  # not the task, which the groups tell, nor the seed
    assert evidence.groups == ("cloud", "image")
    pooled, cloud, image = contests(evidence, "loss")
    assert [pooled.group, cloud.group, image.group] == [POOLED, "cloud", "image"]
    a, b = srocc_of(evidence, "image", loss="spearman + bank"), srocc_of(evidence, "image", loss="mse")
    of_seeds = [(a["2", s] - b["2", s] + a["16", s] - b["16", s]) / 2 for s in "012"]
    expected = stats.ttest_1samp(of_seeds, 0)
    difference = image.duels["spearman + bank", "mse"].difference
    assert difference.mean == pytest.approx(sum(of_seeds) / 3, abs=1e-12)
    assert difference.interval == pytest.approx(tuple(expected.confidence_interval()), abs=1e-12)
    assert image.duels["spearman + bank", "mse"].p == pytest.approx(expected.pvalue, rel=1e-6)
    assert image.best.name == "spearman + bank"
    assert image.best.score.mean == pytest.approx(sum(a.values()) / 6, abs=1e-12)
    assert image.best.rank == 1
    other = cloud.duels["spearman + bank", "mse"].difference
    assert pooled.duels["spearman + bank", "mse"].difference.mean == pytest.approx(
        (difference.mean + other.mean) / 2, abs=1e-12
    )
    assert verdict(pooled).headline == "spearman + bank wins"


def test_failed_and_open_runs_do_not_count_and_say_why(sweep):
    evidence = collect_evidence([sweep])
    assert len(evidence.outcomes) == 24
    reasons = {name.rpartition("/")[2]: reason for name, reason in evidence.left_out}
    assert reasons == {"bad": "failed: diverged", "open": "not finished"}


def test_the_folder_runs_of_a_sweep_is_the_sweep(sweep):
    assert collect_evidence([sweep / "runs"]).axes == collect_evidence([sweep]).axes


def test_folders_without_a_grid_differ_in_their_configurations(generated, tmp_path):
    for loss, noise in (("mse", 1.0), ("plcc", 0.2)):
        for seed in range(4):
            generated.write_run(tmp_path / f"{loss}{seed}", noise=noise, seed=seed, loss=loss)
    evidence = collect_evidence([tmp_path])
    assert evidence.axes == ("objective.terms.0.name",)
    (contest,) = contests(evidence, evidence.axes[0])
    assert verdict(contest).headline == "plcc wins"


def test_equal_runs_are_a_tie(generated, tmp_path):
    for loss in ("mse", "plcc"):
        for seed in range(3):
            generated.write_run(tmp_path / f"{loss}{seed}", noise=0.5, seed=seed, loss=loss)
    evidence = collect_evidence([tmp_path])
    (contest,) = contests(evidence, evidence.axes[0])
    (duel,) = contest.duels.values()
    assert (duel.difference.mean, duel.difference.interval, duel.p) == (0, (0, 0), 1)
    assert [one.rank for one in contest.candidates] == [1.5, 1.5]
    assert verdict(contest).headline == "No difference shown between mse and plcc"
    assert verdict(contest).support.startswith("All have the same mean SROCC")


def test_an_interval_over_zero_shows_no_difference(generated, tmp_path):
    for seed in range(3):
        generated.write_run(tmp_path / f"a{seed}", noise=0.7, seed=seed, loss="a")
        generated.write_run(tmp_path / f"b{seed}", noise=0.7, seed=seed + (seed != 1) * 10, loss="b")
    evidence = collect_evidence([tmp_path])
    (contest,) = contests(evidence, evidence.axes[0])
    # Only one seed is shared, so that contents are resampled.
    (duel,) = contest.duels.values()
    assert duel.difference.unit == "contents"
    assert duel.difference.mean == 0


def test_one_seed_rests_on_contents_and_says_so(generated, tmp_path):
    generated.write_run(tmp_path / "a", noise=3.0, loss="a")
    generated.write_run(tmp_path / "b", noise=0.1, loss="b")
    evidence = collect_evidence([tmp_path])
    (contest,) = contests(evidence, evidence.axes[0])
    (duel,) = contest.duels.values()
    assert (duel.difference.unit, duel.difference.n) == ("contents", generated.CONTENTS)
    assert duel.shown
    found = verdict(contest)
    assert found.headline == "b wins"
    assert "says nothing about seeds" in found.caveats[0]


def test_splits_are_corrected_for_what_they_share(generated, tmp_path):
    for split in range(4):
        generated.write_run(tmp_path / f"a{split}", noise=1.0, split_seed=split, loss="a")
        generated.write_run(tmp_path / f"b{split}", noise=0.5, split_seed=split, loss="b")
    evidence = collect_evidence([tmp_path])
    (contest,) = contests(evidence, evidence.axes[0])
    difference = contest.duels["b", "a"].difference
    values = [
        next(o.summary["srocc"] for o in evidence.outcomes if o.id == f"b{s}")
        - next(o.summary["srocc"] for o in evidence.outcomes if o.id == f"a{s}")
        for s in range(4)
    ]
    # Test share 0.2: a quarter of the training part.
    assert difference.error == pytest.approx(stats.tstd(values) * math.sqrt(1 / 4 + 1 / 4), rel=1e-9)
    assert difference.unit == "splits"


def test_constant_scores_are_left_out_and_named(generated, tmp_path):
    for seed in range(2):
        generated.write_run(tmp_path / f"a{seed}", noise=1.0, seed=seed, loss="a", constant=seed == 1)
        generated.write_run(tmp_path / f"b{seed}", noise=0.1, seed=seed, loss="b")
    evidence = collect_evidence([tmp_path])
    (contest,) = contests(evidence, evidence.axes[0])
    assert any("a (1)" in caveat for caveat in verdict(contest).caveats)


def test_a_single_run_has_nothing_to_compare(generated, tmp_path):
    generated.write_run(tmp_path / "a", noise=1.0)
    assert collect_evidence([tmp_path]).axes == ()


def test_pooling_weighs_groups_alike():
    one = pool([Estimate(0.1, 0.03, 4.0, 5, "seeds"), Estimate(0.3, 0.04, 4.0, 5, "seeds")])
    assert (one.mean, one.error) == (pytest.approx(0.2), pytest.approx(0.025))
    assert one.freedom == pytest.approx((0.03**2 + 0.04**2) ** 2 / (0.03**4 / 4 + 0.04**4 / 4))
    assert pool([Estimate(0.1, None, 0.0, 1, "runs"), one]).interval is None


def test_bad_input(generated, tmp_path):
    with pytest.raises(InputError, match="no folder"):
        collect_evidence([tmp_path / "none"])
    with pytest.raises(InputError, match="no run folder in"):
        collect_evidence([tmp_path])
    generated.write_run(tmp_path / "a", noise=1.0)
    (tmp_path / "a" / "predictions.csv").unlink()
    with pytest.raises(InputError, match=r"a has no predictions\.csv"):
        collect_evidence([tmp_path])
    (tmp_path / "a" / "result.json").unlink()
    with pytest.raises(InputError, match=r"no finished run with a test part.*unfinished"):
        collect_evidence([tmp_path])


def test_an_unknown_axis(sweep):
    with pytest.raises(UsageProblem, match="did you mean 'loss'"):
        collect_evidence([sweep], axis="los")
