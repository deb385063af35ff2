import csv

import numpy as np
import pytest
from scipy import stats

from rankqa_datasets.errors import InputError
from shared_engine.rater_ceiling import Votes, rater_ceiling, read_votes


def simulate(stimuli=200, raters=16, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    quality = rng.normal(size=(stimuli, 1))
    values = quality + noise * rng.normal(size=(stimuli, raters))
    return quality[:, 0], Votes(tuple(f"s{i}" for i in range(stimuli)), values)


def test_every_number_equals_a_naive_one():
    _, votes = simulate(stimuli=30, raters=5)
    values = votes.values.copy()
    values[3, 2] = values[7, 0] = np.nan
    found = rater_ceiling(Votes(votes.ids, values), halves=40, seed=3)
    rng, halves = np.random.default_rng(3), []
    for _ in range(40):
        order = rng.permutation(5)
        means = [np.nanmean(values[:, rows], axis=1) for rows in (order[:2], order[2:])]
        halves.append(stats.spearmanr(*means).statistic)
    assert found.split_half == pytest.approx(np.mean(halves))
    assert found.split_half_std == pytest.approx(np.std(halves, ddof=1))
    assert found.spearman_brown == pytest.approx(2 * np.mean(halves) / (1 + np.mean(halves)))
    alone = [
        stats.spearmanr(values[:, j], np.nanmean(np.delete(values, j, 1), axis=1), nan_policy="omit").statistic
        for j in range(5)
    ]
    assert found.one_rater == pytest.approx(np.mean(alone))
    counts = np.sum(~np.isnan(values), axis=1)
    sem = np.median(np.nanstd(values, axis=1, ddof=1) / np.sqrt(counts))
    assert found.sem == pytest.approx(sem)
    means = np.nanmean(values, axis=1)
    close = [abs(means[i] - means[j]) < 2 * 2**0.5 * sem for i in range(30) for j in range(i)]
    assert found.close_pairs == pytest.approx(np.mean(close))
    assert (found.stimuli, found.raters, found.fewest_votes, found.without_votes) == (30, 5, 4, 0)


def test_spearman_brown_foretells_the_agreement_of_two_full_panels():
    _, votes = simulate(stimuli=2000, raters=32)
    half = rater_ceiling(Votes(votes.ids, votes.values[:, :16]))
    panels = [votes.values[:, rows].mean(axis=1) for rows in (slice(16), slice(16, 32))]
    assert half.spearman_brown == pytest.approx(stats.spearmanr(*panels).statistic, abs=0.01)


def test_raters_who_agree_reach_one():
    _, votes = simulate(noise=0.0)
    found = rater_ceiling(votes)
    assert (found.split_half, found.spearman_brown, found.one_rater) == pytest.approx((1, 1, 1))
    assert found.sem == pytest.approx(0, abs=1e-12)
    assert found.close_pairs == 0


def test_an_offset_a_permutation_and_unused_raters_change_nothing():
    _, votes = simulate()
    plain = rater_ceiling(votes)
    order = np.random.default_rng(1).permutation(200)
    moved = rater_ceiling(Votes(tuple(votes.ids[i] for i in order), votes.values[order] + 3))
    empty = rater_ceiling(Votes(votes.ids, np.column_stack([votes.values, np.full(200, np.nan)])))
    for other in (moved, empty):
        assert other.split_half == pytest.approx(plain.split_half, abs=1e-9)
        assert other.one_rater == pytest.approx(plain.one_rater, abs=1e-9)
        assert other.close_pairs == pytest.approx(plain.close_pairs, abs=1e-9)
        assert other.raters == plain.raters


def test_published_scores_choose_the_stimuli_and_the_pairs():
    quality, votes = simulate()
    targets = {f"s{i}": float(quality[i]) for i in range(150)} | {"unknown": 1.0}
    found = rater_ceiling(votes, targets=targets)
    assert (found.stimuli, found.without_votes) == (150, 1)
    near = np.abs(quality[:150, None] - quality[:150])[np.triu_indices(150, 1)] < 2 * 2**0.5 * found.sem
    assert found.close_pairs == pytest.approx(near.mean())


BAD_VOTES = {
    "a word": ("name,a,b\nx,1,2\ny,3,four\n", "vote of 'b' on 'y' is no number: 'four'"),
    "infinite": ("name,a,b\nx,1,inf\n", "no number"),
    "twice": ("name,a,b\nx,1,2\nx,1,2\n", "'x' comes twice"),
    "short row": ("name,a,b\nx,1\n", "1 votes, expected 2"),
    "one rater": ("name,a\nx,1\n", "at least 2 raters"),
    "empty": ("", "at least 2 raters"),
}


@pytest.mark.parametrize("case", BAD_VOTES)
def test_bad_files(tmp_path, case):
    text, message = BAD_VOTES[case]
    (tmp_path / "votes.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_votes(tmp_path / "votes.csv")
    with pytest.raises(InputError, match="cannot read the votes"):
        read_votes(tmp_path / "absent.csv")


def test_votes_are_read_with_gaps_and_byte_order_mark(tmp_path):
    (tmp_path / "votes.csv").write_bytes(b"\xef\xbb\xbfname,a,b\r\nx,1,\r\n\r\ny, 2 ,3\r\n")
    votes = read_votes(tmp_path / "votes.csv")
    assert votes.ids == ("x", "y")
    np.testing.assert_array_equal(votes.values, [[1, np.nan], [2, 3]])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((5, 3)), "same mean vote"),
        (np.random.default_rng(0).normal(size=(2, 3)), "at least 3 stimuli and 2 raters, got 2 and 3"),
        (np.array([[1.0, np.nan], [2, 3], [3, 4]]), r"'s0' has 1 vote\(s\)"),
        (np.full((4, 3), np.nan), "got 4 and 0"),
    ],
)
def test_votes_that_say_nothing(values, message):
    votes = Votes(tuple(f"s{i}" for i in range(len(values))), values)
    with pytest.raises(InputError, match=message):
        rater_ceiling(votes)
    with pytest.raises(InputError, match="no votes on any of 1 published stimuli, such as 'other'"):
        rater_ceiling(votes, targets={"other": 1.0})


# raters, split half, one rater, median standard error, share of close pairs. Random halves move the second by .001.
@pytest.mark.parametrize(
    ("database", "expected"),
    [
        ("sjtu", (378, 17, 0.962, 0.882, 0.285, 0.19)),
        ("wpc", (660, 30, 0.951, 0.741, 3.10, 0.21)),
        ("ls_pcqa", (930, 16, 0.946, 0.822, 0.125, 0.23)),
        ("basics", (1494, 63, 0.952, 0.734, 0.102, 0.23)),
    ],
)
def test_published_votes(shared_dir, database, expected):
    tables = shared_dir / "data" / "tables"
    if not (tables / "votes").is_dir():
        pytest.skip(f"no {tables / 'votes'}")
    with (tables / "folds" / database / "total.csv").open(encoding="utf-8-sig", newline="") as file:
        targets = {row["name"]: float(row["mos"]) for row in csv.DictReader(file)}
    # Published scores of BASICS are on another scale than its votes.
    found = rater_ceiling(
        read_votes(tables / "votes" / f"{database}.csv"), targets=None if database == "basics" else targets
    )
    stimuli, raters, split_half, one_rater, sem, close = expected
    assert (found.stimuli, found.raters) == (stimuli, raters)
    assert found.split_half == pytest.approx(split_half, abs=0.002)
    assert found.spearman_brown == pytest.approx(2 * split_half / (1 + split_half), abs=0.0012)
    assert round(found.one_rater, 3) == one_rater
    assert found.sem == pytest.approx(sem, abs=0.005 if sem > 1 else 0.0005)
    assert round(found.close_pairs, 2) == close
