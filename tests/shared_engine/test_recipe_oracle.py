import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from rankqa_datasets.errors import InputError
from rankqa_datasets.split import Split, folds_by_content
from rankqa_datasets.stimulus import Stimulus
from shared_engine.recipe_oracle import oracle_over_folds, recipe_oracle


def stimulus(name, target, recipe, content="c", **extra):
    return Stimulus(name, Path(name), target, None, content, recipe=recipe, extra=extra)


@pytest.fixture
def grid():
    """Six contents under five recipes, with a little noise."""
    noise = np.random.default_rng(0).normal(0, 0.4, (6, 5))
    return [stimulus(f"{c}_{r}", 5 - r + noise[c, r], f"blur_{r}", content=f"c{c}") for c in range(6) for r in range(5)]


def test_it_predicts_the_mean_training_target_of_the_recipe():
    train = [stimulus("a", 1.0, "x"), stimulus("b", 2.0, "x"), stimulus("c", 6.0, "y"), stimulus("d", 7.0, None)]
    asked = [stimulus(name, 0.0, recipe) for name, recipe in (("e", "y"), ("f", "x"), ("g", "z"), ("h", None))]
    # A recipe that was never seen, and none at all, get the mean of all.
    assert recipe_oracle(train, asked).tolist() == [6.0, 1.5, 4.0, 4.0]


def test_databases_have_means_of_their_own():
    train = [stimulus("a", 1.0, "x", database="one"), stimulus("b", 90.0, "x", database="two")]
    asked = [stimulus("c", 0.0, "x", database="two"), stimulus("d", 0.0, "y", database="one")]
    assert recipe_oracle(train, asked).tolist() == [90.0, 1.0]


def test_folds_equal_a_naive_loop(grid):
    splits = folds_by_content(grid, folds=3)
    report = oracle_over_folds(grid, splits)
    sroccs, all_scores, all_targets = [], [], []
    for split in splits:
        test = [s for s in grid if split.parts[s.id] == "test"]
        scores = [
            np.mean([t.target for t in grid if split.parts[t.id] == "train" and t.recipe == s.recipe]) for s in test
        ]
        targets = [s.target for s in test]
        sroccs.append(stats.spearmanr(scores, targets).statistic)
        all_scores, all_targets = all_scores + scores, all_targets + targets
    assert [fold.srocc for fold in report.folds] == pytest.approx(sroccs)
    assert (report.srocc_mean, report.srocc_std) == pytest.approx((np.mean(sroccs), np.std(sroccs, ddof=1)))
    assert report.pooled_n == len(grid)
    assert report.pooled_srocc == pytest.approx(stats.spearmanr(all_scores, all_targets).statistic)
    assert report.pooled_plcc == pytest.approx(np.corrcoef(all_scores, all_targets)[0, 1])
    low, high = report.pooled_srocc_interval
    assert low < report.pooled_srocc < high


def test_unseen_recipes_are_counted_and_a_constant_oracle_is_undefined(grid):
    parts = {s.id: "test" if s.recipe in ("blur_0", "blur_1") else "train" for s in grid}
    report = oracle_over_folds(grid, [Split(parts)])
    assert report.folds[0].unseen == report.folds[0].n == 12
    assert report.folds[0].srocc is report.srocc_mean is report.pooled_srocc is None
    assert report.pooled_srocc_interval is None


def test_a_single_fold_has_no_deviation(grid):
    report = oracle_over_folds(grid, folds_by_content(grid, folds=2)[:1])
    assert report.srocc_mean is not None
    assert report.srocc_std is None


def test_bad_input(grid):
    with pytest.raises(InputError, match="column recipe"):
        recipe_oracle([stimulus("a", 1.0, None)], grid)
    with pytest.raises(InputError, match="fold 1 has 0 stimuli"):
        oracle_over_folds(grid, [Split(dict.fromkeys((s.id for s in grid), "train"))])


# Names without their content, and the means over published folds of the SROCC.
@pytest.mark.parametrize(
    ("database", "underscore", "folds", "expected"),
    [("sjtu", -1, 9, 0.924), ("wpc", None, 5, 0.884), ("ls_pcqa", -2, 5, 0.857), ("basics", 1, 5, 0.851)],
)
def test_published_tables(shared_dir, database, underscore, folds, expected):
    folder = shared_dir / "data" / "tables" / "folds" / database
    if not folder.is_dir():
        pytest.skip(f"no {folder}")

    def parts(name):
        words = name.removesuffix(".ply").split("_")
        # Contents of WPC have up to two words, and every recipe begins with one of these.
        at = underscore or next(i for i, w in enumerate(words) if w in {"gQP", "gsigma", "level", "pqs", "tsl"})
        return "_".join(words[:at]), "_".join(words[at:])

    def read(name):
        with (folder / name).open(encoding="utf-8-sig", newline="") as file:
            return {row["name"]: float(row["mos"]) for row in csv.DictReader(file)}

    scores = read("total.csv")
    stimuli = [stimulus(n, score, parts(n)[1], content=parts(n)[0]) for n, score in scores.items()]
    splits = [
        Split(dict.fromkeys(read(f"train_{k}.csv"), "train") | dict.fromkeys(read(f"test_{k}.csv"), "test"))
        for k in range(1, folds + 1)
    ]
    assert round(oracle_over_folds(stimuli, splits).srocc_mean, 3) == expected
