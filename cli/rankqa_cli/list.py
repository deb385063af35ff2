"""`rankqa list`."""

import re

import click

from rankqa_cli.modalities import MODALITIES, get_config_type, get_modality
from rankqa_cli.results import text_table


@click.command(name="list")
@click.argument("kind", type=click.Choice(["models", "losses", "presets", "recipes", "metrics", "features"]))
def list_names(kind: str) -> None:
    """Names of KIND, one a line, with what they are."""
    click.echo(text_table(*LISTS[kind]()))


def _models() -> tuple[list[str], list[list[str]]]:
    from shared_engine.names import resolve

    rows = []
    for modality in MODALITIES:
        models = get_modality(modality).models
        rows += [[name, modality, _summary(resolve("model", name, models))] for name in models]
    return ["model", "modality", ""], rows


def _losses() -> tuple[list[str], list[list[str]]]:
    from shared_losses import describe_losses

    return ["loss", ""], [[name, text] for name, text in describe_losses().items()]


def _presets() -> tuple[list[str], list[list[str]]]:
    from shared_losses import describe_presets

    return ["preset", ""], [[name, text] for name, text in describe_presets().items()]


def _recipes() -> tuple[list[str], list[list[str]]]:
    from shared_engine.config_files import list_recipes, read_recipe

    rows = []
    for modality in MODALITIES:
        package = get_config_type(modality).recipes
        for name in list_recipes(package):
            table = read_recipe(name, package)
            objective = table["objective"]
            terms = objective.get("preset") or " + ".join(term["name"] for term in objective["terms"])
            rows.append([name, modality, table["model"]["name"], terms])
    return ["recipe", "modality", "model", "objective"], rows


def _metrics() -> tuple[list[str], list[list[str]]]:
    from imgqa.metrics.table import METRICS as IMAGE_METRICS
    from rankqa_cli.cloud_metrics import CLOUD_METRICS

    rows = []
    for modality, metrics in (("image", IMAGE_METRICS), ("cloud", CLOUD_METRICS)):
        for name, metric in metrics.items():
            sign = " (a distance: printed with a minus sign)" if metric.is_distance else ""
            rows.append([name, modality, _summary(metric.function) + sign])
    return ["metric", "modality", ""], rows


def _features() -> tuple[list[str], list[list[str]]]:
    from pcqa.features.table import FEATURE_SETS

    rows = [
        [name, "cloud", str(len(of.names)), "yes" if of.needs_reference else ""] for name, of in FEATURE_SETS.items()
    ]
    return ["features", "modality", "numbers", "needs a reference"], rows


def _summary(documented: object) -> str:
    """The first sentence of a docstring."""
    text = " ".join((documented.__doc__ or "").split("\n\n")[0].split())
    # A dot in a formula has a space before it.
    return re.split(r"(?<=\S)\. ", text)[0].rstrip(".")


LISTS = {
    "models": _models,
    "losses": _losses,
    "presets": _presets,
    "recipes": _recipes,
    "metrics": _metrics,
    "features": _features,
}
