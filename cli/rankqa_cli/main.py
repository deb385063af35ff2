"""The entry point: commands are imported when they are called, so that `--help` imports no torch."""

import importlib
import os
from typing import Any

import click

from rankqa_datasets.errors import InputError
from shared_engine.names import UsageProblem

COMMANDS = {
    "demo": ("rankqa_cli.demo:demo", "Train and evaluate an image and a cloud model on procedural data."),
    "train": ("rankqa_cli.train:train", "Train a model on a manifest, or continue a run."),
    "evaluate": ("rankqa_cli.evaluate:evaluate", "Criteria with intervals of a trained model on a manifest."),
    "score": ("rankqa_cli.score:score", "Score files or folders with a trained model."),
    "metric": ("rankqa_cli.metric:metric", "Compare files with their references by full-reference metrics."),
    "features": ("rankqa_cli.features:features", "Write a table of features of point clouds."),
    "baseline": (
        "rankqa_cli.baseline:baseline",
        "What a model must beat: the recipe oracle, regressors on features, the raters' agreement.",
    ),
    "view": ("rankqa_cli.view:view", "Show a file beside its reference, with scores and errors."),
    "data": ("rankqa_cli.data:data", "Prepare databases, make demo sets and ladders, check manifests, make splits."),
    "ablate": ("rankqa_cli.ablate:ablate", "Train every configuration of a grid, restartably, on one machine or many."),
    "compare": ("rankqa_cli.compare:compare", "Whether one model is better than another, on the same stimuli."),
    "pool": ("rankqa_cli.pool:pool", "Join the runs of a cross-validation: each fold, their spread, and all pooled."),
    "table": ("rankqa_cli.table:table", "Mean, spread and interval over seeds and splits of many runs."),
    "report": ("rankqa_cli.report:report", "One page about a sweep: the answer, charts, misjudged stimuli, all runs."),
    "bench": ("rankqa_cli.bench:bench", "Measure speed and memory of the losses on this machine."),
    "list": ("rankqa_cli.list:list_names", "Names of models, losses, presets, recipes and metrics."),
}


class UsageFailure(click.ClickException):
    """One line and the exit code of wrong usage, without click's usage text."""

    exit_code = 2


class LazyGroup(click.Group):
    """A group whose commands are named in a table 'name -> (module:attribute, one-line help)'."""

    def __init__(self, *args: Any, lazy: dict[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            return None
        module, _, attribute = self.lazy[cmd_name][0].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in self.lazy.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Errors that are written for the user become one line and an exit code: 2 for usage, else 1."""
        try:
            return super().invoke(ctx)
        except InputError as error:
            kind = UsageFailure if isinstance(error, UsageProblem) else click.ClickException
            raise kind(_one_line(error)) from error


def _one_line(error: InputError) -> str:
    """The message; that of an error in a loader process stands at the end of its traceback."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].partition("InputError: ")[2] or lines[-1] if len(lines) > 1 else str(error)


@click.group(cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rankqa")
def cli() -> None:
    """Train, evaluate and apply quality models for images and coloured point clouds."""


def main() -> None:
    """Run the command line."""
    # Before torch is imported: its threads otherwise spin at every barrier, and one other busy process on the machine
    # makes training ten times slower (benchmarks/RESULTS.md).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    cli()
