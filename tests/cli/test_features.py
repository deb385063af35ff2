import csv
import io
import json

import numpy as np
import pytest


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(0)
    lines = ["path,target,content,recipe,split,a,b"]
    for i in range(40):
        a, b = rng.normal(size=2)
        part = "test" if i % 8 < 2 else "train"
        lines.append(f"cloud {i}.ply,{a + b:.4f},c{i % 8},level {i % 5},{part},{a},{100 * b}")
    path = tmp_path_factory.mktemp("table") / "features.csv"
    path.write_text("\n".join(lines))
    return path


def test_train_evaluate_and_score_a_table(rankqa, fails, table, tmp_path):
    run = tmp_path / "run"
    trained = rankqa(
        "train", "features", "--data", table, "--recipe", "feature-mlp", "--epochs", 3, "--out", run,
        "--set", "model.options.hidden=[8]", "--set", 'objective.terms=[{name="plcc"}]',
    )  # fmt: skip
    assert trained.exit_code == 0, trained.output
    assert "10 test" in trained.stderr
    evaluated = json.loads(rankqa("evaluate", run, "--data", table, "--json").stdout)["summaries"]
    assert evaluated["test"]["srocc"] == json.loads((run / "result.json").read_text())["parts"]["test"]["srocc"]
    assert "recipe-oracle" in evaluated
    with (run / "predictions.csv").open() as file:
        predictions = {row["id"]: float(row["score"]) for row in csv.DictReader(file)}
    scored = rankqa("score", run, table)
    assert scored.exit_code == 0, scored.output
    scores = {row["path"]: float(row["score"]) for row in csv.DictReader(io.StringIO(scored.stdout))}
    assert next(iter(scores)) == str(table / "cloud 0.ply")
    assert len(scores) == 40
    for name, score in predictions.items():
        assert scores[str(table / name)] == pytest.approx(score, abs=1e-6)
    (tmp_path / "other.csv").write_text("path,a\nx,1\n")
    result = rankqa("score", run, tmp_path / "other.csv")
    assert result.exit_code == 1
    assert "has no column 'b'" in result.stderr


def test_features_are_listed(rankqa):
    assert "feature-mlp" in rankqa("list", "models").stdout
    assert "features" in rankqa("list", "recipes").stdout
