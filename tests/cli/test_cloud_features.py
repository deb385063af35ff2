"""`rankqa features cloud`: the table, its continuation, and what cannot be described."""

import csv
import shutil

import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.features.table import FEATURE_SETS, FeatureSet
from pcqa.io import read_cloud
from pcqa.io.ply import write_ply
from rankqa_cli.features import _describe
from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import read_manifest
from shared_engine.features.table import FeatureTable


@pytest.fixture
def folder(clouds, tmp_path):
    """A copy of the clouds whose manifest has columns of the user's own, one of them of numbers."""
    own = tmp_path / "clouds"
    shutil.copytree(clouds, own)
    header, *rows = (own / "manifest.csv").read_text().splitlines()
    lines = [f"{header},recipe,year,l_mean"] + [f"{row},noise {i % 3},2020,5" for i, row in enumerate(rows)]
    (own / "manifest.csv").write_text("\n".join(lines))
    return own


def rows_of(path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_of_3d_nss(rankqa, folder, tmp_path):
    out = tmp_path / "features.csv"
    result = rankqa("features", "cloud", folder / "manifest.csv", "--out", out, "--jobs", 1)
    assert result.exit_code == 0, result.output
    assert "15 clouds, 64 features (0 clouds were there)" in result.stdout
    rows = rows_of(out)
    described = FEATURE_SETS["3d-nss"]
    columns = ["path", "target", "reference", "content", "recipe", "digest", *described.names]
    assert list(rows[0]) == columns
    assert [row["path"] for row in rows] == [row["path"] for row in rows_of(folder / "manifest.csv")]
    for row in rows[::7]:
        expected = described.function(read_cloud(folder / row["path"]))
        assert {name: float(row[name]) for name in described.names} == expected
    # Nothing else is taken for a feature: not the digest, not a number of the user's own.
    assert FeatureTable(out).choose(None, None) == described.names


def test_what_is_there_is_kept_and_what_changed_is_described_again(rankqa, folder, tmp_path, monkeypatch):
    out = tmp_path / "features.csv"
    command = ("features", "cloud", folder / "manifest.csv", "--out", out)
    assert rankqa(*command, "--jobs", 1).exit_code == 0
    whole = out.read_bytes()
    described = []

    def count(stimulus, *, name):
        described.append(stimulus.id)
        return dict.fromkeys(FEATURE_SETS[name].names, 1.0)

    monkeypatch.setattr("rankqa_cli.features._describe", count)
    assert "(15 clouds were there)" in rankqa(*command, "--jobs", 1).stdout
    assert (out.read_bytes(), described) == (whole, [])
    # One row is lost, one damaged, one cloud and one target are others.
    lines = whole.decode().splitlines()
    lines[5] = lines[5].rpartition(",")[0] + ","
    out.write_text("\n".join(lines[:3] + lines[4:]))
    cloud = read_cloud(folder / "4_2.ply")
    write_ply(Cloud(points=2 * cloud.points, colors=cloud.colors), folder / "4_2.ply")
    manifest = (folder / "manifest.csv").read_text()
    (folder / "manifest.csv").write_text(manifest.replace("0_0.ply,4.0", "0_0.ply,4.5"))
    assert "(12 clouds were there)" in rankqa(*command, "--jobs", 1).stdout
    assert described == ["0_2.ply", "1_1.ply", "4_2.ply"]
    rows = rows_of(out)
    assert [row["target"] for row in rows[:2]] == ["4.5", "3.0"]
    assert rows[1] == dict(zip(lines[0].split(","), lines[2].split(","), strict=True))


def test_what_was_done_survives_a_stop(rankqa, folder, tmp_path, monkeypatch):
    out = tmp_path / "features.csv"
    done = []

    def stop(stimulus, *, name):
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(stimulus.id)
        return dict.fromkeys(FEATURE_SETS[name].names, 1.0)

    monkeypatch.setattr("rankqa_cli.features._describe", stop)
    assert rankqa("features", "cloud", folder / "manifest.csv", "--out", out, "--jobs", 1).exit_code == 1
    assert [row["path"] for row in rows_of(out)] == done == ["0_0.ply", "0_1.ply", "0_2.ply", "1_0.ply"]


def test_clouds_without_colours_are_named_and_the_others_described(rankqa, folder, tmp_path):
    out = tmp_path / "features.csv"
    for name in ("0_0.ply", "3_1.ply"):
        write_ply(Cloud(points=read_cloud(folder / name).points), folder / name)
    result = rankqa("features", "cloud", folder / "manifest.csv", "--out", out, "--jobs", 1)
    assert result.exit_code == 1
    lines = [line for line in result.stderr.splitlines() if line]
    assert len(lines) == 3
    message = "3D-NSS has statistics of colours, and the cloud has none"
    assert lines[:2] == [f"Left out: {folder / name}: {message}" for name in ("0_0.ply", "3_1.ply")]
    assert lines[2] == f"Error: 2 of 15 clouds have no row in {out}"
    assert len(rows_of(out)) == 13


def test_point_pca2_takes_references(rankqa, fails, folder, tmp_path):
    out = tmp_path / "features.csv"
    header, *rows = (folder / "manifest.csv").read_text().splitlines()
    (folder / "few.csv").write_text("\n".join([header, *rows[:3]]))
    command = ("features", "cloud", folder / "few.csv", "--features", "point-pca2", "--out", out, "--jobs", 1)
    assert rankqa(*command).exit_code == 0
    described = FEATURE_SETS["point-pca2"]
    expected = described.function(read_cloud(folder / "0_1.ply"), read_cloud(folder / "reference_0.ply"))
    found = rows_of(out)
    assert len(described.names) == 40
    assert {name: float(found[1][name]) for name in described.names} == expected
    # Another reference, other features.
    shutil.copy(folder / "reference_1.ply", folder / "reference_0.ply")
    result = rankqa(*command)
    assert "(0 clouds were there)" in result.stdout, result.stderr
    one_less = [rows[0].replace("reference_0.ply", ""), *rows[1:3]]
    (folder / "few.csv").write_text("\n".join([header, *one_less]))
    result = rankqa(*command)
    assert result.exit_code == 1
    assert f"Left out: {folder / '0_0.ply'}: point-pca2 compares with a reference" in result.stderr
    (folder / "few.csv").write_text("\n".join([header, *(row.replace("reference_0.ply", "") for row in rows[:3])]))
    assert "fill the column 'reference'" in fails(1, *command)


def test_nothing_else_is_overwritten(fails, rankqa, folder, tmp_path):
    manifest = folder / "manifest.csv"
    before = manifest.read_bytes()
    assert "is the manifest itself" in fails(1, "features", "cloud", manifest, "--out", manifest)
    assert manifest.read_bytes() == before
    out = tmp_path / "features.csv"
    command = ("features", "cloud", manifest, "--out", out, "--jobs", 1)
    assert rankqa(*command).exit_code == 0
    assert "has the column 'l_mean'" in fails(1, *command, "--features", "point-pca2")
    whole = out.read_text()
    for text, message in {
        whole.replace("0_0.ply,", "other.ply,", 1): "row 2: 'other.ply' is not in",
        whole.replace(",digest,", ",note,", 1): "has the column 'note'",
        "something else": "expected a column 'path'",
        "path,target\n": "has no column 'digest'",
    }.items():
        out.write_text(text)
        assert message in fails(1, *command)
        assert out.read_text() == text
    assert "unknown features '3dnss': did you mean '3d-nss'?" in fails(2, *command, "--features", "3dnss")
    assert "cannot write" in fails(1, *command[:3], "--out", tmp_path / "missing" / "t.csv", "--jobs", 1)


def test_a_feature_that_is_not_finite_is_an_error(folder, monkeypatch):
    names = FEATURE_SETS["3d-nss"].names
    undefined = FeatureSet(names, lambda _: dict.fromkeys(names, np.nan))
    monkeypatch.setitem(FEATURE_SETS, "3d-nss", undefined)
    outcome = _describe(read_manifest(folder / "manifest.csv").stimuli[0], name="3d-nss")
    assert isinstance(outcome, InputError)
    assert str(outcome) == f"{folder / '0_0.ply'}: l_mean is not a finite number"
