import csv
import json

import numpy as np
import pytest


@pytest.fixture
def tables(tmp_path):
    """Six contents under four recipes, without a file; votes of five raters; two folds."""
    rng = np.random.default_rng(0)
    names = [(c, r) for c in range(6) for r in range(4)]
    votes = {name: 5 - name[1] + rng.normal(0, 0.5, 5).round(1) for name in names}
    lines = [f"{c}_{r}.ply,{votes[c, r].mean()},c{c},blur_{r}" for c, r in names]
    (tmp_path / "manifest.csv").write_text("\n".join(["path,target,content,recipe", *lines]))
    lines = [f"{c}_{r}.ply," + ",".join(map(str, votes[c, r])) for c, r in names]
    (tmp_path / "votes.csv").write_text("\n".join(["name,a,b,c,d,e", *lines]))
    (tmp_path / "folds").mkdir()
    for k in (1, 2):
        lines = [f"{c}_{r}.ply,{'test' if c % 2 == k - 1 else 'train'}" for c, r in names]
        (tmp_path / f"folds/fold_{k}.csv").write_text("\n".join(["path,split", *lines]))
    return tmp_path


def test_recipe_oracle_over_a_folder_of_folds(rankqa, tables):
    result = rankqa("baseline", "recipe-oracle", "--data", tables / "manifest.csv", "--folds", tables / "folds")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines[1:5]] == ["fold_1", "fold_2", "mean of 2 folds", "pooled"]
    assert "(sd 0." in lines[3]
    files = [argument for k in (1, 2) for argument in ("--split", tables / f"folds/fold_{k}.csv")]
    as_json = rankqa("baseline", "recipe-oracle", "--data", tables / "manifest.csv", *files, "--json")
    report = json.loads(as_json.stdout)
    assert report["names"] == ["fold_1", "fold_2"]
    assert report["srocc_mean"] > 0.9
    assert f"{report['srocc_mean']:.3f} (sd {report['srocc_std']:.3f})" in lines[3]
    assert report["pooled_n"] == 24


def test_recipe_oracle_of_one_split_or_of_the_column(rankqa, tables):
    one = rankqa("baseline", "recipe-oracle", "--data", tables / "manifest.csv", "--split", tables / "folds/fold_1.csv")
    assert "mean of" not in one.stdout
    header, *rows = (tables / "manifest.csv").read_text().splitlines()
    marked = [f"{row},{'test' if int(row[0]) % 2 == 0 else 'train'}" for row in rows]
    (tables / "marked.csv").write_text("\n".join([f"{header},split", *marked]))
    column = rankqa("baseline", "recipe-oracle", "--data", tables / "marked.csv")
    assert column.exit_code == 0, column.output
    assert column.stdout.splitlines()[2] == one.stdout.splitlines()[2]


def test_recipe_oracle_says_what_is_missing(fails, tables):
    oracle = ("baseline", "recipe-oracle", "--data", tables / "manifest.csv")
    assert "give --split FILE or --folds FOLDER" in fails(2, *oracle)
    both = ["--split", tables / "folds/fold_1.csv", "--folds", tables / "folds"]
    assert "give one of the two" in fails(2, *oracle, *both)
    (tables / "empty").mkdir()
    assert "no split file *.csv" in fails(1, *oracle, "--folds", tables / "empty")
    lines = (tables / "folds/fold_1.csv").read_text().replace("0_0.ply", "other.ply")
    (tables / "other.csv").write_text(lines)
    assert "'other.ply' is not in the manifest" in fails(1, *oracle, "--split", tables / "other.csv")
    manifest = (tables / "manifest.csv").read_text()
    (tables / "manifest.csv").write_text(manifest.replace(",recipe", ",note"))
    assert "filled column recipe" in fails(1, *oracle, "--folds", tables / "folds")


def test_rater_ceiling(rankqa, fails, tables):
    plain = rankqa("baseline", "rater-ceiling", "--votes", tables / "votes.csv")
    assert plain.exit_code == 0, plain.output
    assert "24, 5 (at least 5 votes on each)" in plain.stdout
    assert "Spearman-Brown" in plain.stdout
    with (tables / "votes.csv").open() as file:
        rows = list(csv.reader(file))
    with (tables / "fewer.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows[:-4])
    both = ["--votes", tables / "fewer.csv", "--data", tables / "manifest.csv"]
    assert "4, left out" in rankqa("baseline", "rater-ceiling", *both).stdout
    report = json.loads(rankqa("baseline", "rater-ceiling", *both, "--halves", 10, "--json").stdout)
    assert (report["stimuli"], report["without_votes"], report["halves"]) == (20, 4, 10)
    (tables / "one.csv").write_text("name,a,b\nx,1,2\ny,2,2\n")
    message = fails(1, "baseline", "rater-ceiling", "--votes", tables / "one.csv")
    assert "one.csv: expected at least 3 stimuli" in message


def test_evaluate_shows_the_oracle_beside_a_model_where_recipes_are_known(rankqa, images, tmp_path):
    header, *rows = (images / "manifest.csv").read_text().splitlines()
    # The name of a stimulus is content_level.png.
    marked = [f"{row},blur {row.split(',')[0].removesuffix('.png').split('_')[1]}" for row in rows]
    manifest = images / "with_recipes.csv"
    manifest.write_text("\n".join([f"{header},recipe", *marked]))
    out = tmp_path / "run"
    trained = rankqa("train", "image", "--data", manifest, "--recipe", images / "recipe.toml", "--out", out)
    assert trained.exit_code == 0, trained.output
    text = rankqa("evaluate", out, "--data", manifest).stdout
    # Targets fall with the level for every content.
    assert any(line.startswith("recipe-oracle, test") and "1.000" in line for line in text.splitlines())
    assert "recipe-oracle" in json.loads(rankqa("evaluate", out, "--data", manifest, "--json").stdout)["summaries"]
    for flags in (["--no-baseline"], ["--part", "all"], ["--part", "train"]):
        assert "recipe-oracle" not in rankqa("evaluate", out, "--data", manifest, *flags).stdout
    manifest.unlink()
