"""Names that users type: looked up in plain tables, with the closest match in the error."""

import difflib
import importlib
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from rankqa_datasets.errors import InputError


class UsageProblem(InputError):
    """The user asked for something that does not exist or does not fit together. The command line exits with 2."""


def closest(name: str, known: Iterable[str]) -> str:
    """' Did you mean ...?' for a misspelt name, or the known names where nothing is close."""
    known = sorted(known)
    match = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {match[0]!r}?" if match else f"known: {', '.join(known)}"


def resolve(kind: str, name: str, table: Mapping[str, str]) -> Any:
    """The object behind `name` in a table of 'package.module:attribute' entries.

    A name with a colon that is not in the table is taken as such an entry itself, so that a model from the user's own
    package needs no registration.

    Raises:
        UsageProblem: unknown name, naming the closest one.
    """
    target = table.get(name, name if ":" in name else None)
    if target is None:
        raise UsageProblem(f"unknown {kind} {name!r}: {closest(name, table)}")
    module_name, _, attribute = target.partition(":")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ModuleNotFoundError, AttributeError) as error:
        raise UsageProblem(f"{kind} {target!r} cannot be imported: {error}") from error


def build(kind: str, name: str, table: Mapping[str, str], options: Mapping[str, Any]) -> Any:
    """Construct the class behind `name` with keyword options.

    Raises:
        UsageProblem: unknown name or option, or an option value that the constructor refuses.
    """
    constructor = resolve(kind, name, table)
    parameters = [p for p in inspect.signature(constructor).parameters if p != "self"]
    for option in options:
        if option not in parameters:
            raise UsageProblem(f"{kind} {name!r} has no option {option!r}: {closest(option, parameters)}")
    try:
        return constructor(**options)
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise UsageProblem(f"{kind} {name!r} refuses its options: {error}") from error
