import json

import pytest

from rankqa_datasets.errors import InputError
from shared_engine.config import RunConfig
from shared_engine.config_files import merge, parse_setting, read_config, resolve_config
from shared_engine.names import UsageProblem, build, resolve

BASE = {
    "modality": "tiny",
    "data": {"manifest": "m.csv"},
    "model": {"name": "mlp"},
    "input": {},
    "objective": {"terms": [{"name": "spearman"}]},
    "engine": {"epochs": 3},
}


def test_later_layers_win_key_by_key():
    config = resolve_config(RunConfig, [BASE, {"optim": {"lr": 1e-2}}, parse_setting("optim.lr=5e-4"), {"seed": 7}])
    assert config.optim.lr == 5e-4
    assert config.seed == 7
    assert config.engine.epochs == 3
    assert merge([{"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}]) == {"a": {"b": 3, "c": 2}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("optim.lr=1e-4", {"optim": {"lr": 1e-4}}),
        ("model.options.hidden=[8, 8]", {"model": {"options": {"hidden": [8, 8]}}}),
        ("engine.selection=validation", {"engine": {"selection": "validation"}}),
        ('data.root="a b"', {"data": {"root": "a b"}}),
    ],
)
def test_settings_are_toml_values_or_bare_words(text, expected):
    assert parse_setting(text) == expected


@pytest.mark.parametrize("text", ["optim.lr", "=3", "a..b=1"])
def test_malformed_settings(text):
    with pytest.raises(UsageProblem, match=r"key\.sub=value"):
        parse_setting(text)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"optim": {"lrr": 1}}, "unknown key 'optim.lrr': did you mean 'lr'"),
        ({"optimm": {}}, "did you mean 'optim'"),
        ({"objective": {"terms": [{"name": "mse", "wieght": 1}]}}, "did you mean 'weight'"),
        ({"engine": {"epochs": 0}}, r"engine.epochs: .*greater than or equal to 1 \(got 0\)"),
        ({"engine": {"precision": "fp8"}}, "engine.precision"),
        ({"optim": {"lr": "fast"}}, r"optim.lr: .*\(got 'fast'\)"),
        ({"engine": {"patience": 2}}, "needs engine.selection = 'validation'"),
        ({"objective": {"terms": [{"name": "spearman", "bank": True}]}}, "needs the table"),
        ({"objective": {"terms": [{"name": "mse"}, {"name": "mse"}]}}, "each term may stand once"),
        ({"objective": {"terms": [{"name": "mse"}], "bank": {"kind": "fifo"}}}, "capacity"),
    ],
)
def test_wrong_keys_and_values_are_one_line(layer, message):
    with pytest.raises(UsageProblem, match=message) as caught:
        resolve_config(RunConfig, [BASE, layer])
    assert "\n" not in str(caught.value)


def test_the_written_configuration_is_accepted_again(tmp_path):
    config = resolve_config(RunConfig, [BASE])
    (tmp_path / "config.json").write_text(json.dumps(config.model_dump(mode="json")))
    assert resolve_config(RunConfig, [read_config(tmp_path / "config.json")]) == config


@pytest.mark.parametrize(("name", "content"), [("a.toml", "x = ="), ("a.json", "{"), ("a.toml", "\xff")])
def test_malformed_files(tmp_path, name, content):
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match="not a readable"):
        read_config(tmp_path / name)
    with pytest.raises(InputError, match="no configuration file"):
        read_config(tmp_path / "absent.toml")


def test_names_are_looked_up_with_a_suggestion():
    table = {"ordered": "collections:OrderedDict", "gone": "collections:Nothing"}
    assert resolve("map", "ordered", table).__name__ == "OrderedDict"
    assert resolve("map", "fractions:Fraction", table).__name__ == "Fraction"
    with pytest.raises(UsageProblem, match="unknown map 'orderd': did you mean 'ordered'"):
        resolve("map", "orderd", table)
    with pytest.raises(UsageProblem, match="cannot be imported"):
        resolve("map", "gone", table)
    with pytest.raises(UsageProblem, match="has no option 'denom': did you mean 'denominator'"):
        build("number", "fraction", {"fraction": "fractions:Fraction"}, {"denom": 2})
    with pytest.raises(UsageProblem, match="refuses its options"):
        build("number", "fraction", {"fraction": "fractions:Fraction"}, {"numerator": "x"})
