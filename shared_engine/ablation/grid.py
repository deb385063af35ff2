"""Grid files: from axes, named variants and fixed keys to a list of runs."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator

from shared_engine.config import Frozen, RunConfig
from shared_engine.config_files import Table, merge, read_config, read_recipe, resolve_config
from shared_engine.names import UsageProblem, closest


class GridFile(Frozen):
    """What a grid file holds. Keys of configurations may be nested tables or dotted names in quotes.

    Attributes:
        question: what the grid is to answer, for its report.
        fixed: configuration that all runs share, over that of the recipe.
        variants: axis -> label -> configuration: named settings of several keys at once.
        axes: dotted key of the configuration -> its values.
        exclude: combinations to leave out; each is axis -> label or value, or a list of them, and all must match.
    """

    question: str = ""
    fixed: dict[str, Any] = Field(default_factory=dict)
    variants: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)
    axes: dict[str, list[Any]] = Field(default_factory=dict)
    exclude: list[dict[str, Any]] = Field(default_factory=list)

    @field_validator("axes", mode="before")
    @classmethod
    def _flatten(cls, axes: Any) -> Any:
        """`engine.batch_size = [8, 32]` without quotes is a nested table in TOML."""
        return dict(_dotted(axes)) if isinstance(axes, dict) else axes


@dataclass(frozen=True)
class GridRun:
    """One run of a grid.

    Attributes:
        id: first 12 hexadecimal digits of the SHA-256 of its configuration: equal settings, equal id.
        settings: axis -> label or value, in the order of the grid.
        modality: name of its modality.
        config: the resolved configuration; paths are as the grid has them.
    """

    id: str
    settings: dict[str, Any]
    modality: str
    config: RunConfig


def read_grid(path: Path) -> GridFile:
    """A grid file (TOML).

    Raises:
        InputError: missing or malformed.
        UsageProblem: an unknown key or a value of the wrong type.
    """
    try:
        return GridFile.model_validate(read_config(path))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        known = list(GridFile.model_fields)
        problem = closest(key, known) if first["type"] == "extra_forbidden" else first["msg"]
        raise UsageProblem(f"{path}: {key}: {problem}") from None


def expand(grid: GridFile, get_config_type: Callable[[str], type[RunConfig]]) -> list[GridRun]:
    """All runs of a grid, each once, in the order of its axes (variants first).

    Raises:
        UsageProblem: no axis, an empty one, a configuration that does not resolve (the message names the combination),
            an exclusion that names no axis, or one that leaves nothing.
    """
    axes = _axes(grid)
    known = dict(axes)
    for rule in grid.exclude:
        for axis in rule:
            if axis not in known:
                raise UsageProblem(f"exclude names {axis!r}, which is no axis: {closest(axis, list(known))}")
    recipes: dict[tuple[str, str], Table] = {}
    runs: dict[str, GridRun] = {}
    for choice in product(*(values for _, values in axes)):
        settings = {axis: label for (axis, _), (label, _) in zip(axes, choice, strict=True)}
        if any(_matches(rule, settings) for rule in grid.exclude):
            continue
        run = _resolve(grid, settings, [table for _, table in choice], get_config_type, recipes)
        runs.setdefault(run.id, run)
    if not runs:
        raise UsageProblem("the grid has no run: its exclusions leave nothing")
    return list(runs.values())


def _axes(grid: GridFile) -> list[tuple[str, list[tuple[Any, Table]]]]:
    """Axis -> (label or value, configuration)."""
    axes = [
        (axis, [(label, _nested(table)) for label, table in options.items()]) for axis, options in grid.variants.items()
    ]
    axes += [(key, [(value, _nested({key: value})) for value in values]) for key, values in grid.axes.items()]
    if not axes:
        raise UsageProblem("expected a grid with [axes] or [variants.NAME], got none")
    names = [axis for axis, _ in axes]
    for axis, values in axes:
        if not values:
            raise UsageProblem(f"axis {axis!r} has no values")
        if names.count(axis) > 1:
            raise UsageProblem(f"{axis!r} is an axis twice, in [axes] and in [variants]")
    return axes


def _nested(table: Mapping[str, Any]) -> Table:
    """Dotted names become nested tables."""
    tables = []
    for key, value in table.items():
        for part in reversed(key.split(".")):
            value = {part: _nested(value) if isinstance(value, dict) else value}
        tables.append(value)
    return merge(tables)


def _dotted(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{name}", inner) for name, inner in _dotted(value))
        else:
            yield key, value


def _matches(rule: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    return all(settings[axis] in (wanted if isinstance(wanted, list) else [wanted]) for axis, wanted in rule.items())


def _resolve(
    grid: GridFile,
    settings: dict[str, Any],
    tables: Sequence[Table],
    get_config_type: Callable[[str], type[RunConfig]],
    recipes: dict[tuple[str, str], Table],
) -> GridRun:
    own = merge([_nested(grid.fixed), *tables])
    try:
        modality = str(own.get("modality"))
        config_type = get_config_type(modality)
        if "recipe" not in own:
            raise UsageProblem("expected a recipe, in [fixed] or by an axis; rankqa list recipes shows them")
        key = (modality, str(own["recipe"]))
        if key not in recipes:
            recipes[key] = read_recipe(key[1], config_type.recipes)
        config = resolve_config(config_type, [recipes[key], own])
    except UsageProblem as error:
        combination = ", ".join(f"{axis}={label}" for axis, label in settings.items())
        raise UsageProblem(f"run with {combination}: {error}") from None
    digest = hashlib.sha256(config.model_dump_json().encode()).hexdigest()
    return GridRun(digest[:12], settings, modality, config)
