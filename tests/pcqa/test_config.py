import pytest

from pcqa.config import MODEL_INPUTS, CloudRunConfig
from pcqa.modality import CLOUD
from shared_engine.config_files import resolve_config
from shared_engine.names import UsageProblem

BASE = {
    "data": {"manifest": "m.csv"},
    "model": {"name": "pointnet2"},
    "input": {"patches": {}},
    "objective": {"terms": [{"name": "spearman"}]},
    "engine": {"epochs": 1},
}


def problem(**changes) -> str:
    with pytest.raises(UsageProblem) as caught:
        resolve_config(CloudRunConfig, [BASE | changes])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_defaults_resolve_and_are_read_back_from_json():
    config = resolve_config(CloudRunConfig, [BASE])
    assert config.modality == "cloud"
    assert config.input.patches is not None
    assert config.input.views is None
    assert CloudRunConfig.model_validate(config.model_dump(mode="json")) == config


def test_some_input_is_needed():
    assert "takes the table [input.patches], [input.views] or both, got neither" in problem(input={})


def test_models_get_the_input_they_read():
    assert "'pointnet2' reads patches: give [input.patches], got [input.views]" in problem(input={"views": {}})
    assert "got [input.patches] and [input.views]" in problem(input={"patches": {}, "views": {}})
    assert "model 'multiview' reads views" in problem(model={"name": "multiview"})
    for tables in ({"views": {}}, {"patches": {}, "views": {}}):
        own = resolve_config(CloudRunConfig, [BASE | {"model": {"name": "my.package:Net"}, "input": tables}])
        assert own.input.tables == tuple(tables)


def test_every_model_says_what_it_reads():
    assert MODEL_INPUTS.keys() == CLOUD.models.keys()


def test_a_window_larger_than_the_view_is_refused():
    found = problem(model={"name": "multiview"}, input={"views": {"size": 64, "crop": 65}})
    assert "crop (65) cannot exceed size (64)" in found


def test_misspelt_keys_name_the_closest():
    assert "unknown key 'input.patches.sise': did you mean 'size'" in problem(input={"patches": {"sise": 9}})
    assert "did you mean 'splat'" in problem(input={"views": {"splatt": 9}}, model={"name": "multiview"})


def test_more_patches_than_saved_are_refused():
    assert "train (9) and evaluate (8) cannot exceed saved (8)" in problem(input={"patches": {"train": 9, "saved": 8}})


def test_evaluation_reads_as_many_patches_at_once_as_a_training_step():
    def size(**patches) -> int:
        tables = BASE | {"input": {"patches": patches}, "engine": {"epochs": 1, "batch_size": 8}}
        return resolve_config(CloudRunConfig, [tables]).evaluation_batch_size

    assert size(train=2, evaluate=8) == 2
    assert size(train=3, evaluate=16) == 1
    assert size(train=8, evaluate=8) == size(train=8, evaluate=4) == 8
    views = BASE | {"model": {"name": "multiview"}, "input": {"views": {}}, "engine": {"epochs": 1, "batch_size": 8}}
    assert resolve_config(CloudRunConfig, [views]).evaluation_batch_size == 8
