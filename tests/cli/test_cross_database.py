"""A model of one database judged on another, whose opinions are on another scale."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

SCALES = {"small": (1.0, 0.0), "large": (17.5, 60.0)}


@pytest.fixture(scope="module")
def databases(tmp_path_factory) -> dict[str, Path]:
    """Tables of features of 40 clouds of eight contents, of targets about 0 and of targets about 60 with 17.5 times the
    spread; `stretched` is the large one on the scale of the small one, `turned` has lower targets for better clouds.
    """
    folder = tmp_path_factory.mktemp("tables")
    paths = {}
    for number, (name, (scale, shift)) in enumerate(SCALES.items()):
        rng = np.random.default_rng(number)
        rows = []
        for i in range(40):
            a, b = rng.normal(size=2)
            quality = a + b + 0.3 * rng.normal()
            rows.append({"path": f"{name} {i}", "target": scale * quality + shift, "content": f"{name} {i % 8}"})
            rows[-1] |= {"a": a, "b": 100 * b}
        paths[name] = write(folder / f"{name}.csv", rows)
    large = read(paths["large"])
    paths["stretched"] = write(folder / "stretched.csv", [r | {"target": (r["target"] - 60) / 17.5} for r in large])
    paths["turned"] = write(folder / "turned.csv", [r | {"target": 100 - r["target"]} for r in large])
    return paths


@pytest.fixture(scope="module")
def runs(databases, tmp_path_factory) -> dict[str, Path]:
    from click.testing import CliRunner

    from rankqa_cli.main import cli

    folder = tmp_path_factory.mktemp("runs")
    for name in SCALES:
        command = [
            "train", "features", "--data", databases[name], "--recipe", "feature-mlp", "--epochs", 20,
            "--out", folder / name, "--set", "model.options.hidden=[8]", "--set", 'objective.terms=[{name="spearman"}]',
        ]  # fmt: skip
        result = CliRunner().invoke(cli, [str(word) for word in command])
        assert result.exit_code == 0, result.output
    return {name: folder / name for name in SCALES}


def write(path: Path, rows: list[dict]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(path: Path) -> list[dict]:
    with path.open(newline="") as file:
        return [row | {"target": float(row["target"])} for row in csv.DictReader(file)]


@pytest.mark.parametrize(("trained", "judged"), [("small", "large"), ("large", "small")])
def test_the_other_database_is_judged_whole_on_its_own_scale(rankqa, databases, runs, trained, judged):
    result = rankqa("evaluate", runs[trained], "--data", databases[judged], "--json")
    assert result.exit_code == 0, result.output
    summaries = json.loads(result.stdout)["summaries"]
    assert list(summaries) == ["all"]
    found = summaries["all"]
    assert (found["n"], found["contents"], found["intervals"]["unit"]) == (40, 8, "content")
    assert found["srocc"] > 0.8
    assert found["intervals"]["srocc"][0] < found["srocc"] < found["intervals"]["srocc"][1]
    # In units of the database that is judged, and below the error of its mean.
    spread = np.std([row["target"] for row in read(databases[judged])])
    assert 0 < found["rmse"] < spread
    assert "note" not in result.stderr


def test_a_scale_changes_neither_ranks_nor_mapped_correlation(rankqa, databases, runs):
    large, stretched = (
        json.loads(rankqa("evaluate", runs["small"], "--data", databases[name], "--json").stdout)["summaries"]["all"]
        for name in ("large", "stretched")
    )
    for name in ("srocc", "krocc"):
        assert large[name] == stretched[name]
        assert large["intervals"][name] == stretched["intervals"][name]
    assert large["plcc_mapped"] == pytest.approx(stretched["plcc_mapped"], abs=1e-4)
    assert large["rmse"] == pytest.approx(17.5 * stretched["rmse"], rel=1e-3)


def test_targets_of_the_other_direction_are_noticed(rankqa, fails, databases, runs, tmp_path):
    result = rankqa("evaluate", runs["small"], "--data", databases["turned"])
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines() == [
        "note: all: SROCC is below 0 beyond chance: are the targets higher-is-better? turn DMOS round first"
    ]
    # In a mixture the database that is turned round is named; where the manifest tells the direction it is refused.
    mixed = [row | {"database": name} for name in ("small", "turned") for row in read(databases[name])]
    path = write(tmp_path / "mixed.csv", mixed)
    result = rankqa("evaluate", runs["small"], "--data", path)
    assert result.stderr.splitlines()[0].startswith("note: all, turned: SROCC is below 0")
    told = [row | {"direction": "lower" if row["database"] == "turned" else "higher"} for row in mixed]
    write(path, told)
    commands = (
        ("evaluate", runs["small"], "--data", path),
        ("train", "features", "--data", path, "--recipe", "feature-mlp", "--out", tmp_path / "run"),
    )
    for command in commands:
        message = fails(1, *command)
        assert "row 42, column direction: 'lower' here and 'higher' in 40 other rows" in message
        assert "turn the targets of 'turned' round" in message
    assert not (tmp_path / "run").exists()
