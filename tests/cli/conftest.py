"""Small real files and recipes that train in a moment."""

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image, ImageFilter

from rankqa_cli.main import cli

IMAGE_RECIPE = """
[model]
name = "compact-cnn"
[input]
crop = 32
eval_crops = 1
[objective]
bank = { kind = "table" }
[[objective.terms]]
name = "spearman"
bank = true
[engine]
epochs = 2
batch_size = 8
accelerator = "cpu"
"""

CLOUD_RECIPE = """
[model]
name = "pointnet2"
[model.options]
counts = [16, 4]
radii = [0.4, 0.8]
neighbors = [8, 4]
widths = [[8, 8], [16, 16], [32]]
head = [8]
[input.patches]
size = 64
saved = 2
train = 1
evaluate = 2
[objective]
bank = { kind = "table" }
[[objective.terms]]
name = "spearman"
bank = true
[engine]
epochs = 2
batch_size = 8
accelerator = "cpu"
"""


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> Path:
    """Six contents, each blurred four times; the manifest has a column of the user's own."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    rows = []
    for content in range(6):
        pristine = Image.fromarray(rng.integers(0, 256, (48, 56, 3), dtype=np.uint8))
        pristine.save(folder / f"reference {content}.png")
        for level in range(4):
            name = f"{content}_{level}.png"
            pristine.filter(ImageFilter.GaussianBlur(0.4 * (level + 1))).save(folder / name)
            rows.append(
                {
                    "path": name,
                    "target": 5 - level + 0.1 * content,
                    "reference": f"reference {content}.png",
                    "content": f"c{content}",
                    "camera": "left" if level < 2 else "right",
                    "split": "test" if content == 0 else "train",
                }
            )
    write_manifest(folder / "manifest.csv", rows)
    (folder / "recipe.toml").write_text(IMAGE_RECIPE)
    return folder


@pytest.fixture(scope="session")
def clouds(tmp_path_factory) -> Path:
    """Five coloured spheres, each with three amounts of noise."""
    from pcqa.cloud import Cloud
    from pcqa.io.ply import write_ply

    folder = tmp_path_factory.mktemp("clouds")
    rng = np.random.default_rng(0)
    rows = []
    for content in range(5):
        points = rng.normal(size=(300, 3))
        points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
        colors = rng.random((300, 3)).astype(np.float32)
        write_ply(Cloud(points=points, colors=colors), folder / f"reference_{content}.ply")
        for level in range(3):
            noisy = points + rng.normal(0, 0.02 * (level + 1), points.shape).astype(np.float32)
            write_ply(Cloud(points=noisy, colors=colors), folder / f"{content}_{level}.ply")
            rows.append(
                {
                    "path": f"{content}_{level}.ply",
                    "target": 4.0 - level,
                    "reference": f"reference_{content}.ply",
                    "content": f"c{content}",
                }
            )
    write_manifest(folder / "manifest.csv", rows)
    (folder / "recipe.toml").write_text(CLOUD_RECIPE)
    return folder


@pytest.fixture
def rankqa():
    """Run a command and return click's result; standard error is in `.stderr`."""

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(cli, [str(a) for a in arguments])

    return call


@pytest.fixture
def fails(rankqa):
    """Run a command that must end in one line and an exit code; returns the line."""

    def call(exit_code: int, *arguments: object) -> str:
        result = rankqa(*arguments)
        assert result.exit_code == exit_code, result.output
        assert isinstance(result.exception, SystemExit), "a traceback reached the user"
        errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
        assert len(errors) == 1, result.stderr
        assert result.stderr.rstrip().endswith(errors[0]), "the error is not the last line"
        return errors[0]

    return call


@pytest.fixture(scope="session")
def image_run(images, tmp_path_factory) -> Path:
    """A finished run on the images."""
    out = tmp_path_factory.mktemp("runs") / "image"
    arguments = ["train", "image", "--data", images / "manifest.csv", "--recipe", images / "recipe.toml", "--out", out]
    result = CliRunner().invoke(cli, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    return out


def write_manifest(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
