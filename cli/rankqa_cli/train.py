"""`rankqa train`."""

import os
from pathlib import Path

import click

from rankqa_cli.modalities import MODALITIES, get_modality, read_run
from rankqa_cli.results import result_table
from shared_engine.names import UsageProblem

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("modality", type=click.Choice(list(MODALITIES)), required=False)
@click.option("--data", type=FILE, help="Manifest: CSV path,target[,reference,content,...].")
@click.option("--recipe", help="Shipped recipe by name (rankqa list recipes), or a TOML file.")
@click.option("--config", type=FILE, help="TOML or JSON file over the recipe; config.json of a run works too.")
@click.option("--set", "settings", multiple=True, metavar="KEY.SUB=VALUE", help="One key, in TOML syntax. Repeatable.")
@click.option("--split", type=FILE, help="Split file (rankqa data split); default: the manifest's column, else made.")
@click.option("--root", type=FOLDER, help="Folder that the manifest's paths start from; default: its own.")
@click.option("--epochs", type=int, help="Short for --set engine.epochs=N.")
@click.option("--seed", type=int, help="Short for --set seed=N.")
@click.option("--devices", type=int, help="Processes, one a device; needs --out.")
@click.option("--out", type=FOLDER, help="Run folder; default: runs/MODALITY-RECIPE-seedN.")
@click.option("--cache", type=FOLDER, help="Decode cache, may be shared by runs; default: inside the run folder.")
@click.option("--resume", type=FOLDER, help="Continue this run; no other option but --cache goes with it.")
@click.option("--dry-run", is_flag=True, help="Print the resolved configuration as JSON and stop.")
def train(
    modality: str | None,
    data: Path | None,
    recipe: str | None,
    config: Path | None,
    settings: tuple[str, ...],
    split: Path | None,
    root: Path | None,
    epochs: int | None,
    seed: int | None,
    devices: int | None,
    out: Path | None,
    cache: Path | None,
    resume: Path | None,
    dry_run: bool,
) -> None:
    """Train a model of MODALITY on a manifest, evaluate it on the test part, write a run folder.

    \b
      rankqa train image --data manifest.csv --recipe compact-cnn
      rankqa train cloud --data manifest.csv --recipe pointnet2-ssg --set optim.lr=5e-4 --out runs/first
      rankqa train features --data features.csv --recipe feature-mlp
      rankqa train --resume runs/first

    The manifest of `features` is a table path,target[,content,...] whose other columns of numbers are what the model
    sees; `path` is then only the name of a row.
    """
    from shared_engine.config_files import parse_setting, read_config, read_recipe, resolve_config

    if resume is not None:
        given = [modality, data, recipe, config, split, root, epochs, seed, devices, out, *settings]
        if any(value is not None for value in given) or dry_run:
            raise UsageProblem("--resume takes the configuration of the run; only --cache goes with it")
        kind, resolved = read_run(resume)
        _run(kind, resolved, resume, cache, resume=True)
        return
    if modality is None:
        raise UsageProblem(
            f"expected a modality, one of {', '.join(MODALITIES)}: rankqa train image --data ... --recipe ..."
        )
    if recipe is None and config is None:
        raise UsageProblem(f"expected --recipe NAME or --config FILE; rankqa list recipes shows those for {modality}")
    kind = get_modality(modality)
    layers = [{"modality": modality}]
    if recipe is not None:
        layers.append(read_recipe(recipe, kind.recipes))
    if config is not None:
        layers.append(read_config(config))
    layers += [parse_setting(text) for text in settings]
    named = {
        "data": {"manifest": data, "split": split, "root": root},
        "engine": {"epochs": epochs, "devices": devices},
        "": {"seed": seed},
    }
    for table, values in named.items():
        values = {key: str(v) if isinstance(v, Path) else v for key, v in values.items() if v is not None}
        layers.append({table: values} if table and values else values)
    resolved = resolve_config(kind.config_type, layers)
    if dry_run:
        click.echo(resolved.model_dump_json(indent=2))
        return
    if out is None:
        if resolved.engine.devices > 1:
            raise UsageProblem("several devices need --out, since each process must know the folder")
        out = _free_folder(Path("runs") / f"{modality}-{resolved.recipe or 'custom'}-seed{resolved.seed}")
    _run(kind, resolved, out, cache, resume=False)


def _run(kind, resolved, out: Path, cache: Path | None, *, resume: bool) -> None:
    from shared_engine.train import train as train_run

    try:
        result = train_run(
            resolved, kind, out, cache=cache, resume=resume, report=lambda line: click.echo(line, err=True)
        )
    except KeyboardInterrupt:
        raise click.ClickException(f"interrupted; continue with: rankqa train --resume {out}") from None
    if os.environ.get("LOCAL_RANK", "0") == "0":  # Fabric starts this command once more for each further device
        click.echo(result_table(result))


def _free_folder(path: Path) -> Path:
    """`path`, or the first of path-2, path-3, ... that is not there."""
    candidates = [path, *(path.with_name(f"{path.name}-{i}") for i in range(2, 1000))]
    return next(c for c in candidates if not c.exists())
