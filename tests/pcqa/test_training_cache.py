"""A run decodes each cloud once, before the first epoch; epochs read the cache alone."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import pcqa.patch_reader
import pcqa.view_reader
from pcqa.cloud import Cloud
from pcqa.config import CloudRunConfig
from pcqa.io import read_cloud
from pcqa.io.ply import write_ply
from pcqa.modality import CLOUD
from pcqa.patch_reader import PatchReader
from shared_engine.config_files import merge, resolve_config
from shared_engine.train import train

POINTS = {
    "model": {
        "name": "pointnet2",
        "options": {"counts": [8], "radii": [0.5], "neighbors": [4], "widths": [[8], [8]], "head": [4]},
    },
    "input": {"patches": {"size": 32, "saved": 2, "train": 1, "evaluate": 1}},
}
VIEWS = {"model": {"name": "multiview"}, "input": {"views": {"size": 32}}}


@pytest.fixture
def manifest(tmp_path) -> Path:
    """Six clouds of three contents, no reference, so that no baseline reads any; one content is the test part."""
    generator = np.random.default_rng(0)
    lines = ["path,target,content,split"]
    for i in range(6):
        points, colors = generator.normal(size=(60, 3)), generator.random((60, 3))
        write_ply(Cloud(points.astype(np.float32), colors.astype(np.float32)), tmp_path / f"{i}.ply")
        lines.append(f"{i}.ply,{i},c{i % 3},{'test' if i % 3 == 0 else 'train'}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "manifest.csv"


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """Names of the files in the order of their decoding."""
    names: list[str] = []

    def spy(path: Path) -> Cloud:
        cloud = read_cloud(path)
        names.append(path.name)
        return cloud

    monkeypatch.setattr(pcqa.patch_reader, "read_cloud", spy)
    monkeypatch.setattr(pcqa.view_reader, "read_cloud", spy)
    return names


def run(manifest, out, tables, report=lambda _: None, **options):
    changes = {
        "data": {"manifest": str(manifest)},
        "objective": {"terms": [{"name": "mse"}]},
        "engine": {"epochs": 2, "batch_size": 2, "accelerator": "cpu"},
    }
    return train(resolve_config(CloudRunConfig, [merge([tables, changes])]), CLOUD, out, report=report, **options)


@pytest.mark.parametrize("tables", [POINTS, VIEWS], ids=["patches", "views"])
def test_each_cloud_is_decoded_once_before_the_first_epoch(manifest, decoded, tmp_path, tables):
    counts = []

    def report(line):
        if line.startswith(("run folder", "epoch")):
            counts.append(len(decoded))

    run(manifest, tmp_path / "run", tables, report, cache=tmp_path / "cache")
    assert counts == [0, 6, 6]  # nothing before it is announced; then all, and none in an epoch
    assert Counter(decoded) == dict.fromkeys((f"{i}.ply" for i in range(6)), 1)
    # Nor is anything left to decode for a second run, with other weights and epochs.
    run(manifest, tmp_path / "second", {**tables, "seed": 1}, cache=tmp_path / "cache")
    assert len(decoded) == 6


def test_a_filling_that_was_interrupted_goes_on(manifest, decoded, tmp_path, monkeypatch):
    spied, calls = pcqa.patch_reader.read_cloud, []

    def interrupt(path):
        calls.append(path.name)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return spied(path)

    monkeypatch.setattr(pcqa.patch_reader, "read_cloud", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(manifest, tmp_path / "run", POINTS)
    done = set(decoded)
    assert 3 <= len(done) < 6
    monkeypatch.setattr(pcqa.patch_reader, "read_cloud", spied)
    run(manifest, tmp_path / "run", POINTS, resume=True)
    assert Counter(decoded) == dict.fromkeys((f"{i}.ply" for i in range(6)), 1)


@pytest.mark.parametrize("tables", [POINTS, VIEWS], ids=["patches", "views"])
def test_another_recipe_is_another_cache(manifest, decoded, tmp_path, tables):
    ((name, options),) = tables["input"].items()
    size = {"input": {name: {**options, "size": 40}}}
    run(manifest, tmp_path / "first", tables, cache=tmp_path / "cache")
    run(manifest, tmp_path / "second", merge([tables, size]), cache=tmp_path / "cache")
    assert Counter(decoded) == dict.fromkeys((f"{i}.ply" for i in range(6)), 2)
    run(manifest, tmp_path / "third", tables, cache=tmp_path / "cache")
    assert len(decoded) == 12


def test_another_version_of_the_cut_is_another_cache(manifest, decoded, tmp_path, monkeypatch):
    run(manifest, tmp_path / "first", POINTS, cache=tmp_path / "cache")
    recipe = PatchReader._recipe
    monkeypatch.setattr(PatchReader, "_recipe", lambda self: recipe(self).replace("patches 1 ", "patches 2 "))
    run(manifest, tmp_path / "second", POINTS, cache=tmp_path / "cache")
    assert Counter(decoded) == dict.fromkeys((f"{i}.ply" for i in range(6)), 2)


def test_filling_shows_how_far_it_is(manifest, tmp_path, monkeypatch):
    bars = []

    def bar(iterable, description, *, total=None, **options):
        if total is None:
            return iterable
        bars.append([description, total, 0])

        def steps():
            for item in iterable:
                bars[-1][2] += 1
                yield item

        return steps()

    monkeypatch.setattr("shared_engine.train.tqdm", bar)
    run(manifest, tmp_path / "run", POINTS)
    assert bars == [["reading", 6, 6]]
