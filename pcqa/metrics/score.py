"""Any set of full-reference metrics of a pair of clouds, in one call."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from inspect import signature
from typing import Any, NamedTuple, get_args, get_type_hints

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError

from pcqa.cloud import Cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.table import DEFAULT, METRICS, Metric
from rankqa_datasets.errors import InputError

# Key points and seeds are arrays, which pydantic checks by isinstance.
ANY_TYPES = ConfigDict(arbitrary_types_allowed=True)


class Score(NamedTuple):
    """A metric's result: `score`, higher is better; `values`, all numbers in the metric's own direction and unit."""

    score: float
    values: dict[str, Any]


def score(
    reference: Cloud,
    distorted: Cloud,
    *,
    metrics: Sequence[str] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    table: Mapping[str, Metric] = METRICS,
) -> dict[str, Score]:
    """Metrics of a distorted cloud; neighbours that several of them need are searched once.

        scores = pcqa.metrics.score(read_cloud("ref.ply"), read_cloud("dist.ply"), metrics=["d1", "pcqm"])
        scores["d1"].score, scores["d1"].values["mse_ab"]

    Args:
        reference: the pristine cloud.
        distorted: the cloud to judge, in the same unit.
        metrics: names of `table`. Default: those of DEFAULT that need no colours or normals that the clouds lack.
        options: name -> keyword options of its function, for example {"d1": {"peak": 1023.0}}.
        table: the metrics that are known, for own ones beside METRICS: {**METRICS, "mine": Metric(function, "score")}.

    Returns:
        Name -> `Score`, in the order of the names.

    Raises:
        InputError: an unknown name or option, or a metric that cannot be computed of these clouds.
    """
    pair = CloudPair(reference, distorted)
    options = options or {}
    for name in (*(metrics or ()), *options):
        if name not in table:
            raise InputError(f"expected a cloud metric of {', '.join(table)}, got {name!r}")
    names = fitting_metrics(pair, DEFAULT, options, table) if metrics is None else metrics
    return {name: score_pair(pair, name, options.get(name, {}), table) for name in dict.fromkeys(names)}


def fitting_metrics(
    pair: CloudPair,
    names: Iterable[str],
    options: Mapping[str, Mapping[str, Any]],
    table: Mapping[str, Metric] = METRICS,
) -> list[str]:
    """Those that need nothing that the clouds lack."""
    return [name for name in names if table[name].fits(pair, options.get(name, {}))]


def score_pair(
    pair: CloudPair, name: str, options: Mapping[str, Any] | None = None, table: Mapping[str, Metric] = METRICS
) -> Score:
    """One metric of a pair, which keeps what the next one needs too.

    Raises:
        InputError: an unknown option, or the metric cannot be computed of these clouds.
    """
    metric = table[name]
    result = metric.function(pair, **checked_options(name, metric, options or {}))
    values = {field.name: _plain(getattr(result, field.name)) for field in fields(result)}
    headline = values[metric.field]
    # Not -headline, which of 0 is -0.0.
    return Score(0.0 - headline if metric.is_distance else headline, values)


def checked_options(name: str, metric: Metric, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as the function's annotations have them: a whole number for a float becomes one.

    Raises:
        InputError: the metric has no such option, or not of that type.
    """
    types, checked = _option_types(metric.function), {}
    for key, value in options.items():
        if key not in types:
            raise InputError(f"{name} has no option {key!r}, expected one of: {', '.join(types)}")
        try:
            checked[key] = TypeAdapter(types[key], config=ANY_TYPES).validate_python(value)
        except ValidationError as error:
            raise InputError(f"{name}.{key}: {error.errors()[0]['msg']}, got {value!r}") from None
    return checked


def _option_types(function: Callable[..., Any]) -> dict[str, Any]:
    hints, types = get_type_hints(function), {}
    for parameter in signature(function).parameters.values():
        if parameter.kind == parameter.KEYWORD_ONLY:
            types[parameter.name] = hints[parameter.name]
        elif parameter.kind == parameter.VAR_KEYWORD:  # **options: Unpack[a TypedDict]
            types |= get_type_hints(get_args(hints[parameter.name])[0])
    return types


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value
