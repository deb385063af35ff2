"""Configuration from files and the command line: defaults < recipe < --config < --set < named flags."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from rankqa_datasets.errors import InputError
from shared_engine.config import RunConfig
from shared_engine.names import UsageProblem, closest

Table = dict[str, Any]
Config = TypeVar("Config", bound=RunConfig)


def list_recipes(package: str) -> list[str]:
    """Names of the recipes that ship with a modality package, sorted."""
    return sorted(f.name.removesuffix(".toml") for f in resources.files(package).iterdir() if f.name.endswith(".toml"))


def read_recipe(name: str, package: str) -> Table:
    """A shipped recipe by name, or a TOML file by path.

    Raises:
        UsageProblem: no recipe of that name.
        InputError: a file that cannot be read.
    """
    if name.endswith(".toml"):
        return {"recipe": Path(name).stem, **read_config(Path(name))}
    known = list_recipes(package)
    if name not in known:
        raise UsageProblem(f"unknown recipe {name!r}: {closest(name, known)}")
    return {"recipe": name, **tomllib.loads((resources.files(package) / f"{name}.toml").read_text("utf-8"))}


def read_config(path: Path) -> Table:
    """A configuration file: TOML, or the JSON that a run folder holds.

    Raises:
        InputError: missing or malformed file.
    """
    try:
        text = path.read_text("utf-8")
        return json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except FileNotFoundError:
        raise InputError(f"no configuration file {path}") from None
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path} is not a readable {path.suffix or 'TOML'} file: {error}") from None


def parse_setting(text: str) -> Table:
    """`key.sub=value` as a nested table; the value in TOML syntax, or else a bare string.

    Raises:
        UsageProblem: no '=' or an empty key.
    """
    key, separator, value = text.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not separator or not all(parts):
        raise UsageProblem(f"--set expects key.sub=value, got {text!r}")
    parsed: Any
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    for part in reversed(parts):
        parsed = {part: parsed}
    return parsed


def merge(tables: Iterable[Mapping[str, Any]]) -> Table:
    """Later tables win, key by key; nested tables are merged, everything else is replaced."""
    merged: Table = {}
    for table in tables:
        for key, value in table.items():
            old = merged.get(key)
            merged[key] = merge([old, value]) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def resolve_config(config_type: type[Config], tables: Iterable[Mapping[str, Any]]) -> Config:
    """The checked configuration from layers of tables, later ones winning.

    Raises:
        UsageProblem: unknown key (with the closest match), or a value of the wrong type or range; all in one line.
    """
    merged = merge(tables)
    try:
        return config_type.model_validate(merged)
    except ValidationError as error:
        raise UsageProblem("; ".join(_problems(error, config_type))) from None


def _problems(error: ValidationError, config_type: type[BaseModel]) -> Iterable[str]:
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            known = _fields_at(config_type, item["loc"][:-1])
            yield f"unknown key {key!r}: {closest(str(item['loc'][-1]), known)}"
        elif item["type"] == "missing":
            yield f"missing key {key!r}"
        else:
            message = item["msg"].removeprefix("Value error, ")
            shown = repr(item["input"])
            yield f"{key or 'configuration'}: {message} (got {shown if len(shown) < 80 else shown[:77] + '...'})"


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the nested table at `location`."""
    for part in location:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        candidates = [annotation, *get_args(annotation)]
        model = next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return list(model.model_fields)
