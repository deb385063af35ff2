"""Run folders as training leaves them, with scores by formula."""

import json
import math
from pathlib import Path

import numpy as np

from shared_engine.criteria import compute_criteria
from shared_engine.run_folder import write_csv, write_json

CONTENTS, LEVELS = 6, 4


def stimuli() -> list[dict[str, str]]:
    """Six contents with two distortions at four levels each."""
    return [
        {
            "id": f"{kind}_{content}_{level}.png",
            "content": f"c{content}",
            "target": repr(5.0 - level + 0.1 * content),
            "target_std": "0.5",
            "votes": "20",
            "split": "test",
            "recipe": f"{kind}_{level + 1}",
        }
        for content in range(CONTENTS)
        for kind in ("blur", "noise")
        for level in range(LEVELS)
    ]


def write_run(
    folder: Path,
    *,
    noise: float,
    seed: int = 0,
    loss: str = "mse",
    batch: int = 8,
    modality: str = "image",
    manifest: str = "set/manifest.csv",
    split_seed: int = 0,
    epochs: int = 3,
    constant: bool = False,
) -> dict:
    """A finished run whose scores are the targets and so much noise; returns its test summary."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng([seed, split_seed, int(noise * 1e6)])
    rows = stimuli()
    targets = np.array([float(row["target"]) for row in rows])
    scores = np.zeros(len(rows)) if constant else targets + noise * rng.normal(size=len(rows))
    for row, score in zip(rows, scores.tolist(), strict=True):
        row["score"] = repr(score)
    criteria = compute_criteria(scores, targets)
    summary = {name: getattr(criteria, name) for name in ("n", "srocc", "krocc", "plcc", "plcc_mapped", "rmse")}
    summary["intervals"] = {"srocc": None if criteria.srocc is None else [criteria.srocc - 0.1, criteria.srocc]}
    config = {
        "modality": modality,
        "recipe": "r",
        "seed": seed,
        "data": {"manifest": manifest, "root": None, "split": None, "test_share": 0.2, "split_seed": split_seed},
        "objective": {"terms": [{"name": loss}]},
        "engine": {"batch_size": batch},
    }
    write_json(folder / "config.json", config)
    write_json(
        folder / "result.json", {"status": "finished", "parts": {"test": summary}, "baselines": {}, "seconds": 12.5}
    )
    write_json(
        folder / "environment.json",
        {"python": "3.11", "packages": {"torch": "2.6"}, "source": {"commit": "abc", "modified": False}},
    )
    write_csv(folder / "predictions.csv", rows)
    log = [
        {"epoch": epoch, "loss": 2.0 / epoch, "validation_srocc": 1 - math.exp(-epoch) - noise / 10}
        for epoch in range(1, epochs + 1)
    ]
    write_csv(folder / "log.csv", log)
    return summary


def write_index(sweep: Path, question: str, settings: dict[str, dict]) -> None:
    """The grid.json of a sweep: run id -> settings."""
    (sweep / "grid.json").write_text(
        json.dumps(
            {"question": question, "runs": {k: {"settings": v, "modality": "image"} for k, v in settings.items()}}
        )
    )
