import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image, ImageFilter

from imgqa.metrics.table import METRICS
from rankqa_cli.main import cli


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """`ref` and `dist` with three images each, one pair equal, one as JPEG, one in a subfolder."""
    rng = np.random.default_rng(0)
    for folder in ("ref", "dist"):
        (tmp_path / folder / "deep").mkdir(parents=True)
    for name, distorted_name in (("a.png", "a.png"), ("b.png", "b.jpg"), ("deep/c.png", "deep/c.png")):
        pristine = Image.fromarray(rng.integers(0, 256, (50, 60, 3), dtype=np.uint8))
        pristine.save(tmp_path / "ref" / name)
        distorted = pristine if name == "a.png" else pristine.filter(ImageFilter.GaussianBlur(1))
        distorted.save(tmp_path / "dist" / distorted_name)
    (tmp_path / "dist" / "notes.txt").write_text("no image")
    return tmp_path


def metric_image(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["metric", "image", *map(str, arguments)])


def table(result: Result) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(result.stdout)))


def errors(result: Result) -> list[str]:
    assert result.exception is None or isinstance(result.exception, SystemExit), "a traceback reached the user"
    return [line for line in result.stderr.splitlines() if line.startswith("Error: ")]


def test_two_files(folders):
    result = metric_image(folders / "ref/b.png", folders / "dist/b.jpg")
    assert result.exit_code == 0, result.output
    (row,) = table(result)
    assert list(row) == ["path", "psnr", "ssim"]
    reference, image = (
        torch.from_numpy(np.array(Image.open(folders / name))).permute(2, 0, 1)[None].double() / 255
        for name in ("ref/b.png", "dist/b.jpg")
    )
    assert row["path"] == str(folders / "dist/b.jpg")
    assert float(row["psnr"]) == METRICS["psnr"].function(image, reference).item()
    assert float(row["ssim"]) == METRICS["ssim"].function(image, reference).item()


def test_all_metrics_are_higher_for_equal_images(folders):
    names = ",".join(name for name in METRICS if name != "ms-ssim")
    result = metric_image(folders / "ref", folders / "dist", "--metrics", names)
    assert result.exit_code == 0, result.output
    rows = {Path(row.pop("path")).name: row for row in table(result)}
    for name, value in rows["a.png"].items():
        assert float(value) > float(rows["c.png"][name])
    assert rows["a.png"]["psnr"] == "inf"


def test_folders_in_order_whatever_the_number_of_jobs(folders):
    alone = metric_image(folders / "ref", folders / "dist", "--jobs", 1)
    assert [row["path"] for row in table(alone)] == [
        str(folders / "dist" / name) for name in ("a.png", "b.jpg", "deep/c.png")
    ]
    assert metric_image(folders / "ref", folders / "dist", "--jobs", 3).stdout == alone.stdout


def test_json_has_null_for_infinity(folders):
    rows = json.loads(metric_image(folders / "ref", folders / "dist", "--json", "--metrics", "psnr,gmsd").stdout)
    assert rows[0] == {"path": str(folders / "dist/a.png"), "psnr": None, "gmsd": 0.0}
    assert rows[1]["psnr"] > 0 > rows[1]["gmsd"]


def test_a_bad_pair_is_one_line_and_the_rest_goes_on(folders):
    (folders / "dist/a.png").write_bytes(b"no image")
    Image.new("RGB", (50, 60)).save(folders / "dist/b.jpg")
    Image.new("RGB", (50, 60)).save(folders / "dist/new.png")
    result = metric_image(folders / "ref", folders / "dist")
    assert result.exit_code == 1
    assert [Path(row["path"]).name for row in table(result)] == ["c.png"]
    damaged, size, lonely, summary = errors(result)
    assert "dist/a.png" in damaged
    assert "dist/b.jpg has 50 x 60 pixels, its reference" in size
    assert "dist/new.png has no reference" in lonely
    assert summary == "Error: 3 of 4 pairs could not be compared"


def test_a_reference_with_two_candidates_is_not_guessed(folders):
    Image.new("RGB", (60, 50)).save(folders / "ref/b.bmp")
    result = metric_image(folders / "ref", folders / "dist")
    assert result.exit_code == 1
    assert "dist/b.jpg has more than one reference: " in errors(result)[0]


def test_an_image_too_small_for_a_metric_is_named(folders):
    result = metric_image(folders / "ref/a.png", folders / "dist/a.png", "--metrics", "all")
    assert result.exit_code == 1
    assert "dist/a.png: MS-SSIM needs at least 161 x 161 pixels, got 60 x 50" in errors(result)[0]


def test_manifest(folders):
    (folders / "set.csv").write_text(
        "path,target,reference\ndist/a.png,5,ref/a.png\ndist/b.jpg,2,ref/b.png\ndist/deep/c.png,3,\n"
    )
    result = metric_image("--manifest", folders / "set.csv", "--metrics", "ssim")
    assert result.exit_code == 1
    assert [(row["path"], float(row["ssim"]) == 1) for row in table(result)] == [
        ("dist/a.png", True),
        ("dist/b.jpg", False),
    ]
    assert "dist/deep/c.png has no reference" in errors(result)[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ref", "dist", "--metrics", "psnr,sim"], "unknown metric 'sim': did you mean 'ssim'?"),
        (["ref"], "expected two files or two folders: rankqa metric image REF DIST, or --manifest CSV"),
        (["ref", "dist/a.png"], "expected two files or two folders, got a folder"),
        (["ref", "dist", "--manifest", "set.csv"], "expected REF DIST or --manifest, got both"),
        (["ref", "dist", "--root", "."], "--root goes with --manifest"),
    ],
)
def test_wrong_usage(folders, monkeypatch, arguments, message):
    monkeypatch.chdir(folders)
    result = metric_image(*arguments)
    assert result.exit_code == 2
    (error,) = errors(result)
    assert message in error


def test_an_empty_folder(folders):
    (folders / "empty").mkdir()
    result = metric_image(folders / "ref", folders / "empty")
    assert result.exit_code == 1
    assert "no file with ending" in errors(result)[0]
    assert errors(metric_image(folders / "ref", folders / "dits")) == [
        f"Error: no such file or folder: {folders / 'dits'}"
    ]


def test_list_shows_all_metrics():
    lines = CliRunner().invoke(cli, ["list", "metrics"]).stdout.splitlines()
    assert {line.split()[0] for line in lines} >= {*METRICS, "d1"}
    assert sum(line.split()[1] == "image" and "minus sign" in line for line in lines) == 2
