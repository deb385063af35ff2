import itertools
import tomllib

import pytest

from imgqa.config import ImageRunConfig
from rankqa_datasets.errors import InputError
from shared_engine.ablation.grid import GridFile, expand, read_grid
from shared_engine.ablation.sweep import Sweep
from shared_engine.names import UsageProblem

GRID = """
question = "Which loss?"
[fixed]
modality = "image"
recipe = "demo-image"
data.manifest = "demo:image"
[variants.loss]
mse = { "objective.terms" = [{ name = "mse" }] }
spearman = { "objective.terms" = [{ name = "spearman", bank = true }], objective = { bank = { kind = "table" } } }
[axes]
"engine.batch_size" = [8, 16, 32]
seed = [0, 1]
"""


def runs(text: str = GRID, **changes):
    return expand(GridFile.model_validate(tomllib.loads(text) | changes), {"image": ImageRunConfig}.__getitem__)


def test_the_product_of_all_axes_in_their_order():
    expected = list(itertools.product(["mse", "spearman"], [8, 16, 32], [0, 1]))
    found = runs()
    assert [tuple(run.settings.values()) for run in found] == expected
    configs = [run.config for run in found]
    assert [(c.objective.terms[0].name, c.engine.batch_size, c.seed) for c in configs] == expected
    assert found[-1].config.objective.bank is not None
    assert found[0].config.model.name == "compact-cnn"  # from the recipe


def test_an_id_is_the_settings_alone():
    ids = {run.id: run.settings for run in runs()}
    assert len(ids) == 12
    reordered = GRID.replace(
        '"engine.batch_size" = [8, 16, 32]\nseed = [0, 1]', "seed = [1, 0]\nengine.batch_size = [32, 8, 16]"
    )
    assert {run.id: run.settings for run in runs(reordered)} == ids


def test_equal_configurations_are_one_run():
    twice = GRID.replace("[axes]", 'again = { "objective.terms" = [{ name = "mse" }] }\n[axes]')
    assert len(runs(twice)) == 12


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ([{"loss": "mse"}], 6),
        ([{"loss": "mse", "seed": 1}], 9),
        ([{"engine.batch_size": [8, 32], "loss": "spearman"}, {"seed": 0}], 4),
    ],
)
def test_exclusions(rules, left):
    assert len(runs(exclude=rules)) == left


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[axes]", "[axis]", "no key|axis"),
        ("seed = [0, 1]", "seed = []", "axis 'seed' has no values"),
        ('"demo-image"', '"demo-imag"', "run with loss=mse.*unknown recipe 'demo-imag'.*demo-image"),
        ('"engine.batch_size"', '"engine.batchsize"', "unknown key 'engine.batchsize'.*batch_size"),
        ('recipe = "demo-image"', "", "expected a recipe"),
        ('name = "mse"', 'nam = "mse"', "run with loss=mse"),
        ("[axes]", "[axes]\nloss = [1]", "'loss' is an axis twice"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, old, new, message):
    path = tmp_path / "grid.toml"
    path.write_text(GRID.replace(old, new))
    with pytest.raises(UsageProblem, match=message):
        expand(read_grid(path), {"image": ImageRunConfig}.__getitem__)


def test_exclusions_that_fit_nothing_or_everything():
    with pytest.raises(UsageProblem, match=r"exclude names 'los', which is no axis.*loss"):
        runs(exclude=[{"los": "mse"}])
    with pytest.raises(UsageProblem, match="its exclusions leave nothing"):
        runs(exclude=[{"seed": [0, 1]}])
    with pytest.raises(UsageProblem, match="expected a grid with"):
        runs(axes={}, variants={})


def test_a_grid_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no configuration file"):
        read_grid(tmp_path / "none.toml")


def test_the_index_of_a_sweep_repeats_its_grids(tmp_path):
    sweep = Sweep(tmp_path / "sweep")
    first, second = (GridFile.model_validate(tomllib.loads(text)) for text in (GRID, GRID.replace("[0, 1]", "[7]")))
    expanded = runs(), runs(GRID.replace("[0, 1]", "[7]"))
    for grid, own in ((first, expanded[0]), (second, expanded[1]), (first, expanded[0])):
        sweep.add(grid, own)
    index = sweep.read_index()
    # Each once, the latest last.
    kept = [GridFile.model_validate(table) for table in index["grids"]]
    assert kept == [second, first]
    assert [expand(grid, {"image": ImageRunConfig}.__getitem__) for grid in kept] == [expanded[1], expanded[0]]
    assert set(index["runs"]) == {run.id for own in expanded for run in own}
