import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from rankqa_datasets.errors import InputError
from shared_engine.config_files import list_recipes, merge, read_recipe, resolve_config
from shared_engine.features.config import FeatureRunConfig
from shared_engine.features.modality import FEATURES
from shared_engine.features.reader import FeatureReader, name_columns, rows_in
from shared_engine.features.table import FeatureTable
from shared_engine.names import UsageProblem
from shared_engine.run_folder import RunFolder, read_json
from shared_engine.train import load_run, train
from shared_losses.loss_table import LOSSES

# They compare two views of an item, which a row of numbers does not have, or learn classes, for which it has no head.
OF_OTHER_OUTPUTS = {"local_manifold", "consistency", "cross_entropy"}


def config_of(table, *changes) -> FeatureRunConfig:
    recipe = read_recipe("feature-mlp", FEATURES.recipes)
    return resolve_config(FeatureRunConfig, [merge([recipe, {"data": {"manifest": str(table)}}, *changes])])


def run(table, out, *changes, resume=False, stop_after=None):
    def report(line):
        if stop_after is not None and line.startswith(f"epoch {stop_after}/"):
            raise KeyboardInterrupt

    return train(config_of(table, *changes), FEATURES, out, resume=resume, report=report)


def test_the_recipe_learns_and_names_its_columns(table, tmp_path):
    result = run(table, tmp_path / "run")
    assert result["parts"]["test"]["srocc"] > 0.9
    written = read_json(RunFolder(tmp_path / "run").config)
    assert written["input"]["columns"] == ["f_1", "f_2", "f_3", "f_4", "always"]
    assert written["model"]["options"] == {"features": 5}
    again = resolve_config(FeatureRunConfig, [written])
    assert name_columns(again) == again
    # The statistics are those of the training part.
    with table.open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    state = load_file(RunFolder(tmp_path / "run").model)
    expected = [np.mean([float(row[name]) for row in rows]) for name in written["input"]["columns"]]
    np.testing.assert_allclose(state["mean"], expected, rtol=1e-5)
    assert state["inverse_std"][4] == 0


def test_every_recipe_resolves(table):
    for name in list_recipes(FEATURES.recipes):
        config = resolve_config(
            FeatureRunConfig, [read_recipe(name, FEATURES.recipes), {"data": {"manifest": str(table)}}]
        )
        assert config.model.name in FEATURES.models


@pytest.mark.parametrize("loss", sorted(LOSSES.keys() - OF_OTHER_OUTPUTS))
def test_every_loss_of_the_core_trains(table, tmp_path, loss):
    # Targets from -5 to 5 on ten levels; a ranker of 16. What is learnt is another test's matter.
    options = {"emd": {"low": -5.0, "high": 5.0}, "cdf_quantile": {"low": -5.0, "high": 5.0}}.get(loss, {})
    head = {"emd": "levels", "cdf_quantile": "levels", "gaussian_nll": "normal"}.get(loss, "score")
    changes = {
        "model": {"options": {"head": head}},
        "objective": {"terms": [{"name": loss, "options": options}]},
        "engine": {"epochs": 1, "batch_size": 16, "drop_last": loss == "asna"},
    }
    run(table, tmp_path / "run", changes)
    with RunFolder(tmp_path / "run").log.open() as file:
        (epoch,) = csv.DictReader(file)
    assert np.isfinite(float(epoch[f"loss_{loss}"]))


def test_resume_is_bit_equal(table, tmp_path):
    changes = {"engine": {"epochs": 4}, "optim": {"ema_decay": 0.9}}
    run(table, tmp_path / "whole", changes)
    with pytest.raises(KeyboardInterrupt):
        run(table, tmp_path / "cut", changes, stop_after=2)
    config = resolve_config(FeatureRunConfig, [read_json(RunFolder(tmp_path / "cut").config)])
    train(config, FEATURES, tmp_path / "cut", resume=True, report=lambda _: None)
    for name in ("model.safetensors", "predictions.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()


def test_a_run_that_starts_from_another_keeps_its_statistics(table, tmp_path):
    run(table, tmp_path / "first", {"engine": {"epochs": 1}})
    moved = tmp_path / "moved.csv"
    header, *rows = table.read_text().splitlines()
    cells = [row.split(",") for row in rows]
    moved.write_text("\n".join([header, *(",".join([*c[:5], str(float(c[5]) + 1e6), *c[6:]]) for c in cells)]))
    run(moved, tmp_path / "second", {"engine": {"epochs": 1}, "model": {"init": str(tmp_path / "first")}})
    first, second = (load_file(RunFolder(tmp_path / name).model)["mean"] for name in ("first", "second"))
    assert first.tolist() == second.tolist()


def test_columns_are_chosen_by_name_prefix_or_content(table):
    found = FeatureTable(table)
    assert found.choose(None, None) == ("f_1", "f_2", "f_3", "f_4", "always")
    assert found.choose(None, "f_") == ("f_1", "f_2", "f_3", "f_4")
    assert found.choose(("f_3", "f_1"), None) == ("f_3", "f_1")
    assert found.features("row 3.ply", ("always",)).tolist() == [7.0]


def test_rows_are_addressed_below_their_table(table):
    paths = rows_in(table)
    assert paths[5] == table / "row 5.ply"
    reader = FeatureReader(("always", "f_3"))
    tensors = reader(paths[5], None)
    assert tensors["features"][0] == 7
    assert reader(paths[5], None)["features"] is tensors["features"]
    with pytest.raises(InputError, match=r"no row with the path 'no such\.ply'"):
        reader(table / "no such.ply", None)
    with pytest.raises(InputError, match="no table of features for"):
        reader(Path("absent.csv/row"), None)


def test_a_model_scores_another_table_by_the_names_of_columns(table, tmp_path):
    run(table, tmp_path / "run", {"engine": {"epochs": 2}})
    with table.open() as file:
        rows = list(csv.DictReader(file))
    # No target, other order of columns, and one column more.
    names = ["extra", "f_4", "f_3", "path", "f_2", "f_1", "always"]
    with (tmp_path / "other.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(row | {"extra": "1"} for row in rows)
    config = resolve_config(FeatureRunConfig, [read_json(RunFolder(tmp_path / "run").config)])
    model = load_run(tmp_path / "run", FEATURES, config)
    reader = FeatureReader(config.input.columns)
    with (tmp_path / "run/predictions.csv").open() as file:
        predictions = {row["id"]: float(row["score"]) for row in csv.DictReader(file)}
    features = torch.stack([reader(tmp_path / "other.csv" / name, None)["features"] for name in predictions])
    scores = model({"features": features})["scores"].tolist()
    assert scores == pytest.approx(list(predictions.values()), abs=1e-6)


HEAD = "path,target,a,b\n"
BAD_TABLES = {
    "gap": (HEAD + "x,1,2,3\ny,2,,3\n", {}, r"row 3, column a: expected a number as in other rows, got ''"),
    "nan": (HEAD + "x,1,2,3\ny,2,nan,3\n", {}, "got 'nan'.*input.columns"),
    "too large": (HEAD + "x,1,2,3\ny,2,1e39,3\n", {}, "got '1e39'"),
    "leak": (HEAD + "x,1,2,1.0\ny,2,3,2\n", {}, "'b' equals the target in every row"),
    "nothing": ("path,target,a\nx,1,left\ny,2,right\n", {}, r"none of \[a\] holds numbers"),
    "no such prefix": (HEAD + "x,1,2,3\ny,2,3,3\n", {"prefix": "f_"}, "begins with 'f_'"),
    "misspelt": (HEAD + "x,1,2,3\ny,2,3,3\n", {"columns": ["aa"]}, "no column 'aa': did you mean 'a'"),
    "target": (HEAD + "x,1,2,3\ny,2,3,3\n", {"columns": ["target"]}, "is no feature"),
    "words": ("path,target,a\nx,1,left\ny,2,left\nz,3,left\n", {"columns": ["a"]}, "column a: expected a number"),
    "twice": (HEAD + "x,1,2,3\nx,2,3,3\n", {}, "row 3: 'x' is already in row 2"),
    "no rows": (HEAD, {}, "at least one row"),
    "no path": ("name,target,a\nx,1,2\n", {}, "expected a column 'path'"),
    "one target": (HEAD + "x,1,2,3\ny,1,3,3\nz,1,4,5\n", {}, "nothing to rank|contents"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_tables_end_in_one_line(tmp_path, case):
    text, chosen, message = BAD_TABLES[case]
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        run(tmp_path / "t.csv", tmp_path / "run", {"input": chosen, "data": {"test_share": 0.3}})
    assert "\n" not in str(caught.value)


def test_two_ways_to_choose_exclude_each_other(table):
    with pytest.raises(UsageProblem, match="exclude each other"):
        config_of(table, {"input": {"columns": ["f_1"], "prefix": "f_"}})
    with pytest.raises(UsageProblem, match="twice"):
        config_of(table, {"input": {"columns": ["f_1", "f_1"]}})
    with pytest.raises(InputError, match="cannot read"):
        run("absent.csv", Path("nowhere"))
    json.dumps(config_of(table).model_dump(mode="json"))
