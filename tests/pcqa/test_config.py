import pytest

from pcqa.config import CloudRunConfig
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


def test_exactly_one_kind_of_input():
    assert "takes the table [input.patches] or [input.views], got neither" in problem(input={})
    assert "got both" in problem(input={"patches": {}, "views": {}})


def test_models_get_the_input_they_read():
    assert "model 'pointnet2' reads patches" in problem(input={"views": {}})
    assert "model 'multiview' reads views" in problem(model={"name": "multiview"})
    own = resolve_config(CloudRunConfig, [BASE | {"model": {"name": "my.package:Net"}, "input": {"views": {}}}])
    assert own.input.views is not None


def test_misspelt_keys_name_the_closest():
    assert "unknown key 'input.patches.sise': did you mean 'size'" in problem(input={"patches": {"sise": 9}})
    assert "did you mean 'splat'" in problem(input={"views": {"splatt": 9}}, model={"name": "multiview"})


def test_more_patches_than_saved_are_refused():
    assert "train (9) and evaluate (8) cannot exceed saved (8)" in problem(input={"patches": {"train": 9, "saved": 8}})
