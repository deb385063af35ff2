import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="needs the extra report")
pytest.importorskip("jinja2", reason="needs the extra report")


@pytest.fixture(scope="session")
def generated():
    """The module generated_runs, which lies beside this file."""
    path = Path(__file__).with_name("generated_runs.py")
    spec = importlib.util.spec_from_file_location("generated_runs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def sweep(generated, tmp_path_factory) -> Path:
    """Two modalities, two losses, two batches, three seeds; one run failed and one is open."""
    folder = tmp_path_factory.mktemp("sweep")
    settings = {}
    for task in ("image", "cloud"):
        for loss, noise in (("mse", 1.2), ("spearman + bank", 0.3)):
            for batch in (2, 16):
                for seed in range(3):
                    name = f"{task}-{loss[:3]}-{batch}-{seed}"
                    settings[name] = {"task": task, "loss": loss, "engine.batch_size": batch, "seed": seed}
                    generated.write_run(
                        folder / "runs" / name, noise=noise + 0.1 / batch, seed=seed, loss=loss, batch=batch,
                        modality=task, manifest=f"{task}/manifest.csv",
                    )  # fmt: skip
    for name in ("bad", "open"):
        settings[name] = {"task": "image", "loss": name, "engine.batch_size": 2, "seed": 0}
    (folder / "runs" / "bad.failure.json").write_text('{"error": "diverged"}')
    generated.write_index(folder, "Which <loss>?", settings)
    return folder
