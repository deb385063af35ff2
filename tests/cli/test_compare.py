import csv
import json

import numpy as np
import pytest
from scipy import stats


def write_run(folder, *, noise, seed=0, split=0, contents=10, votes=True, digest=None, database=None):
    """A finished run whose scores are the targets with noise; the split is a draw of contents."""
    folder.mkdir(parents=True)
    draw = np.random.default_rng(split)
    chosen = sorted(draw.choice(100, contents, replace=False).tolist())
    names = [f"{content}_{level}" for content in chosen for level in range(4)]
    quality = np.random.default_rng(99).normal(3, 1, 400).reshape(100, 4)
    rng = np.random.default_rng([seed, split, round(1000 * noise)])
    rows = []
    for name in names:
        content, level = map(int, name.split("_"))
        target = float(quality[content, level])
        row = {"id": f"{name}.png", "content": f"c{content}", "score": repr(target + noise * rng.normal())}
        row |= {"target": repr(target), "target_std": "0.7", "split": "test"}
        row |= {"votes": "12"} if votes else {}
        row |= {"database": "even" if content % 2 == 0 else "odd"} if database else {}
        rows.append(row)
    write_rows(folder / "predictions.csv", rows)
    trained = [{"path": f"train{i}.png", "split": "train"} for i in range(160)]
    write_rows(folder / "split.csv", trained + [{"path": row["id"], "split": "test"} for row in rows])
    (folder / "config.json").write_text("{}")
    result = {"status": "finished", "seed": seed, "split_digest": digest or f"{split:064x}", "parts": {}}
    (folder / "result.json").write_text(json.dumps(result))
    return folder


def write_rows(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def report(rankqa, *arguments):
    result = rankqa("compare", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_two_runs(rankqa, tmp_path):
    a, b = write_run(tmp_path / "a", noise=0.3), write_run(tmp_path / "b", noise=1.5)
    found = report(rankqa, a, b)["comparisons"][0]
    assert (found["stimuli"], found["contents"], found["pairs"], found["unit"]) == (40, 10, 1, "content")
    rows = {row["criterion"]: row for row in found["criteria"]}
    assert list(rows)[4:] == ["different_similar", "better_worse", "correct_order"]
    columns = {}
    for side in (a, b):
        with (side / "predictions.csv").open() as file:
            columns[side] = np.array([[float(row["score"]), float(row["target"])] for row in csv.DictReader(file)]).T
    for side, own in zip("ab", (columns[a], columns[b]), strict=True):
        assert rows["srocc"][side] == pytest.approx(stats.spearmanr(*own).statistic)
        assert rows["krocc"][side] == pytest.approx(stats.kendalltau(*own).statistic)
    for row in rows.values():
        assert row["difference"] == pytest.approx(row["a"] - row["b"])
        assert row["interval"][0] <= row["difference"] <= row["interval"][1]
        assert row["p"] == row["p_contents"] <= row["p_holm"]
        assert row["better"] == "a"
        assert row["runs"] is None
    assert rows["rmse"]["difference"] < 0
    assert set(found["plcc_tests"]) == {"williams", "steiger", "meng"}
    assert found["plcc_tests"]["meng"]["p"] < 0.001
    text = rankqa("compare", a, b).stdout
    assert "SROCC" in text
    assert "one run of each" in text
    assert "DeLong, pairs of stimuli taken for independent" in text


def test_the_order_of_the_models_changes_signs_only(rankqa, tmp_path):
    a, b = write_run(tmp_path / "a", noise=0.5), write_run(tmp_path / "b", noise=0.8)
    forth, back = (report(rankqa, *pair)["comparisons"][0]["criteria"] for pair in ((a, b), (b, a)))
    for one, other in zip(forth, back, strict=True):
        assert one["difference"] == pytest.approx(-other["difference"])
        assert one["interval"] == pytest.approx([-end for end in other["interval"][::-1]])
        assert one["p_contents"] == pytest.approx(other["p_contents"])


def test_a_run_with_itself(rankqa, tmp_path):
    a = write_run(tmp_path / "a", noise=0.5)
    for row in report(rankqa, a, a)["comparisons"][0]["criteria"]:
        assert row["difference"] == 0
        assert (row["p_holm"], row["better"]) == (1, "")


def test_seeds_on_one_split_are_paired(rankqa, tmp_path):
    sides = {}
    for name, noise in (("a", 0.3), ("b", 1.0)):
        sides[name] = [write_run(tmp_path / f"{name}/{seed}", noise=noise, seed=seed) for seed in (2, 0, 1)]
    found = report(rankqa, *sides["a"], "vs", *sides["b"])["comparisons"][0]
    assert (found["pairs"], found["splits"], found["plcc_tests"]) == (3, 1, {})
    singles = [report(rankqa, a, b)["comparisons"][0]["criteria"] for a, b in zip(*sides.values(), strict=True)]
    for i, row in enumerate(found["criteria"]):
        differences = [single[i]["difference"] for single in singles]
        peer = stats.ttest_1samp(differences, 0)
        assert row["runs"]["p"] == pytest.approx(peer.pvalue)
        assert row["p"] == max(row["p_contents"], row["runs"]["p"])
        assert row["difference"] == pytest.approx(np.mean(differences))
    # A folder of runs stands for those below it.
    assert report(rankqa, tmp_path / "a", tmp_path / "b")["comparisons"] == [found]
    assert "over runs [95 %]" in rankqa("compare", tmp_path / "a", tmp_path / "b").stdout


def test_splits_are_corrected_and_seeds_averaged_within(rankqa, tmp_path):
    for name, noise in (("a", 0.5), ("b", 0.7)):
        for split in range(3):
            for seed in range(2):
                write_run(tmp_path / f"{name}/{split}-{seed}", noise=noise, seed=seed, split=split)
    found = report(rankqa, tmp_path / "a", tmp_path / "b")["comparisons"][0]
    assert (found["pairs"], found["splits"]) == (6, 3)
    means = []
    for split in range(3):
        pair = [[tmp_path / f"{name}/{split}-{seed}" for seed in range(2)] for name in "ab"]
        means.append(report(rankqa, *pair[0], "vs", *pair[1])["comparisons"][0]["criteria"][0]["difference"])
    t = np.mean(means) / np.sqrt((1 / 3 + 40 / 160) * np.var(means, ddof=1))
    assert found["criteria"][0]["runs"]["t"] == pytest.approx(t)
    assert found["criteria"][0]["runs"]["p"] == pytest.approx(2 * stats.t.sf(abs(t), 2))


def test_three_models_are_one_family(rankqa, tmp_path):
    runs = [write_run(tmp_path / str(i), noise=noise, votes=False) for i, noise in enumerate((0.3, 0.8, 0.9))]
    found = report(rankqa, runs[0], "vs", runs[1], "vs", runs[2])
    assert [one["models"] for one in found["comparisons"]] == [["A", "B"], ["A", "C"], ["B", "C"]]
    rows = [row for one in found["comparisons"] for row in one["criteria"]]
    assert len(rows) == 12
    smallest = min(rows, key=lambda row: row["p"])
    assert smallest["p_holm"] == pytest.approx(min(1, 12 * smallest["p"]))


def test_databases_are_compared_apart_and_old_predictions_are_read(rankqa, tmp_path):
    runs = [write_run(tmp_path / name, noise=0.5 + i, database=True) for i, name in enumerate("ab")]
    found = report(rankqa, *runs)["comparisons"]
    assert [one["database"] for one in found] == ["even", "odd"]
    assert sum(one["stimuli"] for one in found) == 40
    old = [write_run(tmp_path / f"old {name}", noise=0.5 + i, votes=False) for i, name in enumerate("ab")]
    assert len(report(rankqa, *old)["comparisons"][0]["criteria"]) == 4


def test_constant_scores_and_few_contents_are_said(rankqa, tmp_path):
    a, b = write_run(tmp_path / "a", noise=0.5, contents=3), write_run(tmp_path / "b", noise=0.9, contents=3)
    assert "3 contents: their exchanges cannot give a p below 0.25" in rankqa("compare", a, b).stdout
    rows = list(csv.DictReader((a / "predictions.csv").read_text().splitlines()))
    write_rows(a / "predictions.csv", [row | {"score": "1.0"} for row in rows])
    text = rankqa("compare", a, b).stdout
    assert "undefined" in text
    assert "gives all stimuli the same score" in text


def test_one_content_resamples_stimuli(rankqa, tmp_path):
    a, b = (write_run(tmp_path / name, noise=noise, contents=1) for name, noise in (("a", 0.1), ("b", 0.2)))
    found = report(rankqa, a, b)["comparisons"][0]
    assert (found["unit"], found["contents"]) == ("stimulus", 1)
    assert any("says nothing about other contents" in note for note in found["notes"])


def test_bad_input_in_one_line(fails, tmp_path):
    a, b = write_run(tmp_path / "a", noise=0.5), write_run(tmp_path / "b", noise=0.7)
    assert "no folder" in fails(1, "compare", a, tmp_path / "none")
    assert "give two run folders" in fails(2, "compare", a)
    assert "give two run folders" in fails(2, "compare", a, "vs")
    other = write_run(tmp_path / "split", noise=0.5, digest="f" * 64)
    assert "have different splits: 000000000000 and ffffffffffff" in fails(1, "compare", a, other)
    other = write_run(tmp_path / "stimuli", noise=0.5, contents=9, digest="0" * 64)
    assert "have different stimuli" in fails(1, "compare", a, other)
    text = (b / "predictions.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    for column, value, expected in (
        ("target", "4.5", "have different targets"),
        ("content", "new", "have different contents"),
        ("score", "nan", "the score of '"),
        ("score", "", "the score of '"),
        ("id", rows[1]["id"], "comes twice"),
        ("votes", "many", "the votes of"),
    ):
        write_rows(b / "predictions.csv", [rows[0] | {column: value}, *rows[1:]])
        assert expected in fails(1, "compare", a, b)
    (b / "predictions.csv").write_text(text[: len(text) // 2].rpartition(",")[0])
    fails(1, "compare", a, b)
    (b / "predictions.csv").write_text("id,score\nx,1\n")
    assert "has no column 'content'" in fails(1, "compare", a, b)
    (b / "predictions.csv").unlink()
    assert "predictions.csv cannot be read" in fails(1, "compare", a, b)
    (b / "result.json").write_text("{")
    assert "is damaged" in fails(1, "compare", a, b)
    (b / "result.json").unlink()
    assert "has not finished" in fails(1, "compare", a, b)
    assert "no stimulus of the validation part" in fails(1, "compare", a, a, "--part", "validation")


def test_runs_that_do_not_pair(fails, tmp_path):
    for name in "ab":
        for seed in range(2):
            write_run(tmp_path / f"{name}/{seed}", noise=0.5, seed=seed + (name == "b"))
    assert "has no partner of that seed and split" in fails(1, "compare", tmp_path / "a", tmp_path / "b")
    write_run(tmp_path / "a/again", noise=0.5, seed=0)
    assert "have the same seed 0 and split on one side" in fails(1, "compare", tmp_path / "a", tmp_path / "b")
    for split in range(2):
        for name in "cd":
            (write_run(tmp_path / f"{name}/{split}", noise=0.5, split=split) / "split.csv").unlink()
    assert "has no split.csv" in fails(1, "compare", tmp_path / "c", tmp_path / "d")
