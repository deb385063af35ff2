import json

import pytest


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Features of 48 clouds of six contents, and the folds of `data split`."""
    import numpy as np

    rng = np.random.default_rng(0)
    lines = ["path,target,content,recipe,type,a,b"]
    for content in range(6):
        for name in ("noise", "blur"):
            for level in range(4):
                a, b = rng.normal(size=2) - level
                lines.append(f"{content}{name}{level},{a + b:.4f},c{content},{name} {level},{name},{a},{100 * b}")
    path = tmp_path_factory.mktemp("table") / "features.csv"
    path.write_text("\n".join(lines))
    return path


def train(rankqa, table, split, out):
    result = rankqa(
        "train", "features", "--data", table, "--recipe", "feature-mlp", "--epochs", 3, "--out", out, "--split", split,
        "--set", "model.options.hidden=[8]", "--set", 'objective.terms=[{name="plcc"}]',
    )  # fmt: skip
    assert result.exit_code == 0, result.output


def test_folds_of_contents(rankqa, fails, table, tmp_path):
    folds, runs = tmp_path / "folds", tmp_path / "runs"
    split = rankqa("data", "split", table, "--folds", 3, "--out", folds, "--without-files")
    assert split.exit_code == 0, split.output
    for path in sorted(folds.iterdir()):
        train(rankqa, table, path, runs / path.stem)
    result = rankqa("pool", runs)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "48 test stimuli of 6 content(s) in 3 fold(s)"
    assert [line.split()[0] for line in lines[2:8]] == ["fold_01", "fold_02", "fold_03", "mean", "sd", "95"]
    assert [line[:13] for line in lines[9:13]] == ["pooled       ", "raw scores   ", "calibrated by", "recipe oracle"]
    (found,) = json.loads(rankqa("pool", runs, "--json").stdout)
    for fold in found["folds"]:
        own = json.loads((runs / fold["name"] / "result.json").read_text())["parts"]["test"]
        assert fold["values"]["srocc"] == own["srocc"]
        assert fold["values"]["plcc_mapped"] == pytest.approx(own["plcc_mapped"], abs=1e-12)
    oracle = rankqa("baseline", "recipe-oracle", "--data", table, "--folds", folds, "--json")
    assert found["pooled"]["recipe-oracle"]["srocc"] == json.loads(oracle.stdout)["pooled_srocc"]
    (runs / "fold_02/result.json").unlink()
    assert "has not finished" in fails(1, "pool", runs)
    assert "no folder" in fails(1, "pool", tmp_path / "none")


def test_left_out_distortions(rankqa, table, tmp_path):
    splits, runs = tmp_path / "splits", tmp_path / "runs"
    split = rankqa("data", "split", table, "--leave-out", "type", "--folds", 2, "--out", splits, "--without-files")
    assert split.exit_code == 0, split.output
    for path in sorted(splits.iterdir()):
        train(rankqa, table, path, runs / path.stem)
    (found,) = json.loads(rankqa("pool", runs, "--json").stdout)
    assert (found["stimuli"], found["contents"]) == (48, 6)
    assert [fold["name"] for fold in found["folds"]] == ["blur-fold-1", "blur-fold-2", "noise-fold-1", "noise-fold-2"]
    # No recipe of a left-out type is known from training: an oracle would say nothing.
    assert list(found["pooled"]) == ["raw", "calibrated"]
    assert not any("recipe-oracle srocc" in fold["values"] for fold in found["folds"])
