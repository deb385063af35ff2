"""`rankqa demo`."""

import time
from pathlib import Path
from typing import Any

import click

from rankqa_cli.ladders import DEMO_SETS
from rankqa_cli.modalities import get_modality, read_run
from rankqa_cli.results import criteria_row, criteria_table, interval_note
from shared_engine.names import UsageProblem, resolve


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("runs/demo"), show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the training; the data stay the same.")
def demo(out: Path, seed: int) -> None:
    """Train an image and a cloud model on procedural data with simulated raters, and test them on unseen contents.

    It shows that everything works on this machine; it is no evidence about real quality. An interrupted demo goes on
    where it stopped.
    """
    from rankqa_datasets.demo_folder import demo_noise_ceiling

    started = time.perf_counter()
    rows, results = [], {}
    for modality in DEMO_SETS:
        manifest = resolve("demo set", modality, DEMO_SETS)(out / "data" / modality)
        results[modality] = result = _train_or_continue(modality, manifest, out, seed)
        test = result["parts"]["test"]
        rows.append(criteria_row(f"{modality}: {result['recipe']}", test))
        rows += [
            criteria_row(f"{modality}: {name}, baseline", summary) for name, summary in result["baselines"].items()
        ]
        ceiling = demo_noise_ceiling(manifest)
        rows.append([f"{modality}: noise ceiling", str(test["n"]), str(test["contents"]), f"{ceiling:.3f}", "", "", ""])
    click.echo(criteria_table(rows))
    click.echo(interval_note({modality: result["parts"]["test"] for modality, result in results.items()}))
    click.echo("Procedural stimuli and simulated raters: this says that the tool works, nothing about real quality.")
    click.echo(f"Run folders: {', '.join(str(out / modality) for modality in results)}")
    click.echo(f"{time.perf_counter() - started:.0f} s", err=True)


def _train_or_continue(modality: str, manifest: Path, out: Path, seed: int) -> dict[str, Any]:
    from shared_engine.config_files import read_recipe, resolve_config
    from shared_engine.run_folder import RunFolder, read_json
    from shared_engine.train import train

    kind = get_modality(modality)
    own = {"modality": modality, "seed": seed, "data": {"manifest": str(manifest)}}
    config = resolve_config(kind.config_type, [read_recipe(f"demo-{modality}", kind.recipes), own])
    folder = RunFolder(out / modality)
    if folder.config.exists() and read_run(folder.path)[1] != config:
        raise UsageProblem(f"{folder.path} holds a demo of another seed or version; remove it or give another --out")
    if folder.result.exists():
        click.echo(f"{folder.path} is finished; remove it to train again", err=True)
        return read_json(folder.result)
    return train(
        config,
        kind,
        folder.path,
        cache=out / "cache",
        resume=folder.config.exists(),
        report=lambda line: click.echo(line, err=True),
    )
