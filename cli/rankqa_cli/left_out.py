"""Runs that a command does not count."""

from collections import defaultdict
from collections.abc import Iterable

import click

MOST_LISTED = 5
"""Runs that are listed one by one for one reason."""


def echo_left_out(left_out: Iterable[tuple[object, str]]) -> None:
    """Say on standard error which runs are not counted and why; of many for one reason how many, and the first."""
    folders = defaultdict(list)
    for folder, reason in left_out:
        folders[reason].append(folder)
    for reason, own in folders.items():
        lines = own if len(own) <= MOST_LISTED else [f"{own[0]} and {len(own) - 1} more"]
        for line in lines:
            click.echo(f"not counted: {line}: {reason}", err=True)
