"""`rankqa baseline svr` and `extra-trees` on a table of features."""

import csv
import json

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs scikit-learn: pip install 'rankqa[features]'")


@pytest.fixture
def tables(tmp_path):
    """Six contents of five stimuli, whose target is the sum of two features; three folds."""
    rng = np.random.default_rng(0)
    lines = ["path,target,content,digest,a,b"]
    for i in range(30):
        a, b = rng.normal(size=2)
        lines.append(f"{i}.ply,{a + b:.4f},c{i % 6},3d-nss {i},{a},{100 * b}")
    (tmp_path / "features.csv").write_text("\n".join(lines))
    (tmp_path / "folds").mkdir()
    for k in range(3):
        parts = [f"{i}.ply,{'test' if i % 3 == k else 'train'}" for i in range(30)]
        (tmp_path / f"folds/fold_{k}.csv").write_text("\n".join(["path,split", *parts]))
    return tmp_path


@pytest.mark.parametrize("regressor", ["svr", "extra-trees"])
def test_folds_mean_pooled_and_predictions(rankqa, tables, regressor):
    command = ("baseline", regressor, tables / "features.csv", "--folds", tables / "folds")
    result = rankqa(*command, "--out", tables / "predictions.csv")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines[1:6]] == ["fold_0", "fold_1", "fold_2", "mean of 3 folds", "pooled"]
    assert lines[-1] == "95 % intervals: bootstrap over 6 contents; PLCC of the predictions as they are"
    report = json.loads(rankqa(*command, "--json").stdout)
    assert report["names"] == ["fold_0", "fold_1", "fold_2"]
    assert [sorted(fold) for fold in report["folds"]] == [["n", "plcc", "srocc"]] * 3
    low, high = report["pooled_srocc_interval"]
    assert f"{report['pooled_srocc']:.3f} [{low:.3f}, {high:.3f}]" in lines[5]
    assert low <= report["pooled_srocc"] <= high
    with (tables / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "content", "score", "target", "split", "fold"]
    assert sorted(int(row["id"].removesuffix(".ply")) for row in rows) == list(range(30))
    of_fold = [row for row in rows if row["fold"] == "fold_1"]
    scores, targets = ([float(row[key]) for row in of_fold] for key in ("score", "target"))
    assert np.corrcoef(scores, targets)[0, 1] == pytest.approx(report["folds"][1]["plcc"])
    assert report["srocc_mean"] > 0.5


def test_the_column_split_and_one_fold(rankqa, tables):
    header, *rows = (tables / "features.csv").read_text().splitlines()
    marked = [f"{row},{'test' if i % 3 == 0 else 'train'}" for i, row in enumerate(rows)]
    (tables / "marked.csv").write_text("\n".join([f"{header},split", *marked]))
    column = rankqa("baseline", "svr", tables / "marked.csv")
    one = rankqa("baseline", "svr", tables / "features.csv", "--split", tables / "folds/fold_0.csv")
    assert column.exit_code == 0, column.output
    assert column.stdout.splitlines()[2] == one.stdout.splitlines()[2]
    assert "mean of" not in one.stdout
    seeds = [rankqa("baseline", "extra-trees", tables / "marked.csv", "--seed", seed, "--json") for seed in (0, 0, 1)]
    assert seeds[0].stdout == seeds[1].stdout != seeds[2].stdout


def test_what_is_missing_is_said(fails, tables):
    svr = ("baseline", "svr", tables / "features.csv")
    assert "give --split FILE or --folds FOLDER" in fails(2, *svr)
    assert "cannot write" in fails(1, *svr, "--folds", tables / "folds", "--out", tables / "no" / "p.csv")
    (tables / "none.csv").write_text("path,target,content\n" + "\n".join(f"{i}.ply,{i},{i}" for i in range(30)))
    assert "no column of features" in fails(2, "baseline", "svr", tables / "none.csv", "--folds", tables / "folds")
    text = (tables / "features.csv").read_text()
    (tables / "broken.csv").write_text(text.rpartition(",")[0] + ",nan")
    broken = fails(1, "baseline", "svr", tables / "broken.csv", "--folds", tables / "folds")
    assert "row 31, column b: expected a number as in other rows, got 'nan'" in broken
    (tables / "short.csv").write_text("\n".join(text.splitlines()[:-1]))
    short = fails(1, "baseline", "svr", tables / "short.csv", "--folds", tables / "folds")
    assert "'29.ply' is not in the manifest" in short
