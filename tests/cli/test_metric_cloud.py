import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.io import read_cloud, write_ply
from pcqa.metrics import score
from rankqa_cli.cloud_metrics import CLOUD_METRICS as METRICS

EMPTY = "ply\nformat ascii 1.0\nelement vertex 0\nproperty float x\nproperty float y\nproperty float z\nend_header\n"


def table(result):
    return list(csv.DictReader(io.StringIO(result.stdout)))


@pytest.fixture(scope="module")
def folders(clouds, tmp_path_factory) -> Path:
    """Two references with two distorted clouds of their names, and a pair without colours."""
    root = tmp_path_factory.mktemp("pairs")
    for name, number in (("a", 0), ("b", 1)):
        for folder, source in (("ref", f"reference_{number}"), ("dist", f"{number}_2")):
            (root / folder).mkdir(exist_ok=True)
            shutil.copy(clouds / f"{source}.ply", root / folder / f"{name}.ply")
    bare = read_cloud(clouds / "0_1.ply").points
    write_ply(Cloud(bare), root / "bare.ply")
    write_ply(Cloud(bare + np.float32(0.01), normals=bare), root / "bare_normals.ply")
    (root / "empty.ply").write_text(EMPTY)
    (root / "set.csv").write_text("path,target,reference\ndist/a.ply,5,ref/a.ply\ndist/b.ply,2,\n")
    (root / "no_references.csv").write_text("path,target\ndist/a.ply,5\ndist/b.ply,2\n")
    return root


def test_two_files(rankqa, folders):
    result = rankqa("metric", "cloud", folders / "ref/a.ply", folders / "dist/a.ply")
    assert result.exit_code == 0, result.output
    (row,) = table(result)
    expected = score(read_cloud(folders / "ref/a.ply"), read_cloud(folders / "dist/a.ply"))
    assert list(row) == ["path", "d1", "d2", "yuv", "pcqm"]
    assert row["path"] == str(folders / "dist/a.ply")
    assert row["d2"] == ""
    assert {name: float(row[name]) for name in expected} == {name: one.score for name, one in expected.items()}


def test_json_has_every_value_with_the_options_given(rankqa, folders):
    files = folders / "ref/a.ply", folders / "dist/a.ply"
    options = ["--metrics", "d1,mped", "--set", "d1.peak=7", "--set", "mped.color_space=YUV"]
    (row,) = json.loads(rankqa("metric", "cloud", *files, *options, "--json").stdout)
    expected = score(
        *map(read_cloud, files), metrics=["d1", "mped"], options={"d1": {"peak": 7}, "mped": {"color_space": "YUV"}}
    )
    assert row == {"path": str(files[1])} | {name: one._asdict() for name, one in expected.items()}
    (row,) = json.loads(rankqa("metric", "cloud", files[0], files[0], *options, "--json").stdout)
    assert row["d1"]["score"] is None
    assert str(row["mped"]["score"]) == "0.0"


def test_all_are_those_that_fit(rankqa, folders):
    files = folders / "bare.ply", folders / "bare_normals.ply"
    (row,) = table(rankqa("metric", "cloud", *files, "--metrics", "all"))
    assert list(row) == ["path", *METRICS]
    projected = {"projected-psnr", "projected-ssim", "projected-ms-ssim"}  # of surfaces where there are no colours
    assert {name for name in METRICS if row[name]} == {"d1", "p2d"} | projected
    estimated = ["--set", "d2.estimate_normals=true"]
    (row,) = table(rankqa("metric", "cloud", *files, *estimated))
    assert {name for name, value in row.items() if value} == {"path", "d1", "d2"}


def test_folders_in_order_whatever_the_number_of_jobs(rankqa, folders):
    alone = rankqa("metric", "cloud", folders / "ref", folders / "dist", "--metrics", "d1", "--jobs", 1)
    assert [row["path"] for row in table(alone)] == [str(folders / "dist" / name) for name in ("a.ply", "b.ply")]
    both = rankqa("metric", "cloud", folders / "ref", folders / "dist", "--metrics", "d1", "--jobs", 2)
    assert both.stdout == alone.stdout


def test_a_bad_pair_is_one_line_and_the_rest_goes_on(rankqa, folders, tmp_path):
    shutil.copytree(folders / "dist", tmp_path / "dist")
    shutil.copy(folders / "empty.ply", tmp_path / "dist/b.ply")
    shutil.copy(folders / "bare.ply", tmp_path / "dist/c.ply")
    result = rankqa("metric", "cloud", folders / "ref", tmp_path / "dist", "--metrics", "d1", "--jobs", 1)
    assert result.exit_code == 1
    assert [Path(row["path"]).name for row in table(result)] == ["a.ply"]
    empty, lonely, summary = result.stderr.splitlines()
    assert "dist/b.ply: expected at least one vertex" in empty
    assert f"dist/c.ply has no reference: {folders / 'ref'} has no file of its name" in lonely
    assert summary == "Error: 2 of 3 pairs could not be compared"


def test_manifest(rankqa, folders):
    result = rankqa("metric", "cloud", "--manifest", folders / "set.csv", "--metrics", "d1", "--jobs", 1)
    assert result.exit_code == 1
    assert [row["path"] for row in table(result)] == ["dist/a.ply"]
    assert f"dist/b.ply has no reference in {folders / 'set.csv'}" in result.stderr


@pytest.mark.parametrize(
    ("exit_code", "arguments", "message"),
    [
        (1, ["ref/a.ply", "no.ply"], "no such file or folder: no.ply"),
        (1, ["ref/a.ply", "empty.ply"], "empty.ply: expected at least one vertex, got an empty cloud"),
        (1, ["ref/a.ply", "set.csv"], "set.csv: expected a cloud file"),
        (1, ["ref/a.ply", "bare.ply", "--metrics", "pcqm"], "bare.ply: PCQM compares colours, and the cloud has none"),
        (1, ["ref/a.ply", "dist/a.ply", "--metrics", "d2"], "ref/a.ply: D2 needs the reference's normals"),
        (1, ["ref/a.ply", "dist/a.ply", "--set", "d1.peak=-3"], "expected a positive, finite peak"),
        (1, ["--manifest", "no_references.csv"], "no_references.csv: no row has a reference"),
        (2, ["ref", "dist/a.ply"], "got a folder ref and a file dist/a.ply"),
        (2, ["ref"], "rankqa metric cloud REF DIST, or --manifest CSV"),
        (2, ["ref", "dist", "--metrics", "d1,pqm"], "unknown metric 'pqm': did you mean 'pcqm'?"),
        (2, ["ref", "dist", "--set", "d1.peek=3"], "--set d1.peek=3: d1 has no option 'peek', expected one of: peak"),
        (2, ["ref", "dist", "--set", "d1.peak=abc"], "--set d1.peak=abc: d1.peak: Input should be a valid number"),
        (2, ["ref", "dist", "--set", "peak=3"], "unknown metric 'peak'"),
        (2, ["ref", "dist", "--set", "mped.seed=3"], "mped is not asked for, only d1, d2, yuv, pcqm"),
    ],
)
def test_bad_input_is_one_line(fails, folders, monkeypatch, exit_code, arguments, message):
    monkeypatch.chdir(folders)
    assert message in fails(exit_code, "metric", "cloud", *arguments)


def test_no_file_of_two_folders_has_its_reference(fails, folders, tmp_path):
    for name in ("x", "y"):
        shutil.copy(folders / "bare.ply", tmp_path / f"{name}.ply")
    message = fails(1, "metric", "cloud", folders / "ref", tmp_path)
    assert f"no file in {tmp_path} has exactly one reference of its name in {folders / 'ref'}" in message


def test_help_keeps_the_examples_in_lines(rankqa):
    lines = [line.strip() for line in rankqa("metric", "cloud", "--help").output.splitlines()]
    assert "rankqa metric cloud ref.ply dist.ply" in lines
