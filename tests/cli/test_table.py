import csv
import io
import json
import math

import pytest
from scipy import stats


def write_run(folder, *, srocc, seed=0, batch=8, bank=None, parts=None, **settings):
    """The two files of a finished run that are read."""
    folder.mkdir(parents=True)
    config = {
        "modality": "image",
        "seed": seed,
        "data": {"manifest": "m.csv", "split_seed": 0},
        "objective": {"terms": [{"name": "spearman", "bank": bank is not None}], "bank": bank},
        "engine": {"batch_size": batch},
    } | settings
    (folder / "config.json").write_text(json.dumps(config))
    summary = {"n": 9, "srocc": srocc, "krocc": srocc, "plcc": srocc, "plcc_mapped": srocc, "rmse": 1.5}
    summary["outlier_ratio"] = None
    (folder / "result.json").write_text(json.dumps({"status": "finished", "parts": parts or {"test": summary}}))
    return summary


@pytest.fixture
def runs(tmp_path):
    """Batches of 16 and 2, three seeds each."""
    for batch, values in ((16, (0.8, 0.9, 0.7)), (2, (0.5, 0.6, 0.4))):
        for seed, value in enumerate(values):
            write_run(tmp_path / f"runs/{batch}/{seed}", srocc=value, seed=seed, batch=batch)
    return tmp_path / "runs"


def test_settings_that_differ_are_rows_in_order_of_size(rankqa, runs):
    result = rankqa("table", runs)
    assert result.exit_code == 0, result.output
    header, first, second, note = result.stdout.splitlines()
    assert header.split("  ")[0] == "engine.batch_size"
    assert first.split() == ["2", "3", "0.5000", "0.1000", "[0.2516,", "0.7484]"]
    assert second.split()[:4] == ["16", "3", "0.8000", "0.1000"]
    assert note == "95 %: Student's t over the n runs of a row, which differ in seed"


def test_csv_has_all_digits_and_scipys_interval(rankqa, runs):
    result = rankqa("table", runs, "--format", "csv", "--criterion", "srocc", "--criterion", "rmse")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    interval = stats.ttest_1samp([0.5, 0.6, 0.4], 0).confidence_interval()
    assert float(rows[0]["srocc_low"]) == pytest.approx(interval.low, abs=1e-12)
    assert float(rows[0]["srocc_high"]) == pytest.approx(interval.high, abs=1e-12)
    assert (rows[0]["srocc_n"], rows[0]["rmse_mean"], rows[0]["rmse_sd"]) == ("3", "1.5", "0.0")


def test_seconds_are_those_of_whole_runs(rankqa, runs):
    for seed, seconds in ((0, 90.0), (1, 100.5)):
        path = runs / f"2/{seed}/result.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"seconds": seconds}))
    path = runs / "16/1/result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"seconds": "long"}))
    result = rankqa("table", runs, "--criterion", "srocc", "--criterion", "seconds", "--format", "markdown")
    assert result.stdout.splitlines()[2:] == [
        "| 2 | 3 (1 undefined) | 0.5000 | 0.1000 | [0.2516, 0.7484] | 95.2 | 7.4 | [28.5, 162.0] |",
        "| 16 | 2 (2 undefined) | 0.7500 | 0.0707 | [0.1147, 1.3853] | undefined |  |  |",
    ]
    assert "16/1: damaged: its result.json has no number for seconds" in result.stderr


def test_any_key_groups(rankqa, runs):
    result = rankqa("table", runs, "--by", "objective.terms.0.name", "--by", "seed")
    lines = [line.split() for line in result.stdout.splitlines()[1:-1]]
    assert [line[:3] for line in lines] == [["spearman", seed, "2"] for seed in "012"]
    assert lines[0][3] == "0.6500"


def test_a_table_that_some_runs_lack_is_one_column(rankqa, tmp_path):
    bank = {"kind": "table", "capacity": None, "align": False}
    write_run(tmp_path / "a", srocc=0.5)
    write_run(tmp_path / "b", srocc=0.6, bank=bank)
    result = rankqa("table", tmp_path, "--format", "csv")
    assert result.stdout.splitlines()[0].startswith("objective.terms.0.bank,objective.bank.kind,srocc_mean")
    assert [line.split(",")[:3] for line in result.stdout.splitlines()[1:]] == [
        ["false", "none", "0.5"],
        ["true", "table", "0.6"],
    ]


def test_markdown_and_latex(rankqa, tmp_path):
    write_run(tmp_path / "a", srocc=0.5, recipe="a|b_c&d")
    write_run(tmp_path / "b", srocc=0.6, recipe="e")
    markdown = rankqa("table", tmp_path, "--format", "markdown").stdout.splitlines()
    assert markdown[:3] == [
        "| recipe | n | SROCC | SROCC sd | SROCC 95 % |",
        "| --- | ---: | ---: | ---: | ---: |",
        r"| a\|b_c&d | 1 | 0.5000 |  |  |",
    ]
    latex = rankqa("table", tmp_path, "--format", "latex").stdout.splitlines()
    assert latex[0] == r"\begin{tabular}{lrrrr}"
    assert latex[2] == r"recipe & n & SROCC & SROCC sd & SROCC 95 \% \\"
    assert latex[4] == r"a|b\_c\&d & 1 & 0.5000 &  &  \\"
    assert latex[-1] == r"\end{tabular}"


def test_what_is_not_finished_is_listed_and_not_counted(rankqa, runs):
    (runs / "2/0/result.json").unlink()
    (runs / "2/1/result.json").write_text((runs / "2/1/result.json").read_text()[:60])
    (runs / "16/0/config.json").unlink()
    (runs / "16/1/result.json").write_text('{"status": "finished", "parts": {"test": {"srocc": "high"}}}')
    (runs / "16/2/copy").mkdir()  # below a run nothing is looked for
    result = rankqa("table", runs)
    assert [line.split()[:3] for line in result.stdout.splitlines()[1:3]] == [
        ["2", "1", "0.4000"],
        ["16", "1", "0.7000"],
    ]
    reasons = dict(line.removeprefix("not counted: ").split(": ", 1) for line in result.stderr.splitlines())
    assert reasons[str(runs / "2/0")] == "unfinished"
    assert reasons[str(runs / "2/1")].startswith("damaged")
    assert reasons[str(runs / "16/0")] == "damaged: it has no config.json"
    assert reasons[str(runs / "16/1")] == "damaged: its result.json has no number for srocc"
    assert len(reasons) == 4


def test_many_unfinished_runs_are_one_line(rankqa, runs):
    for i in range(7):
        write_run(runs / f"open/{i}", srocc=0.5, seed=i, batch=4)
        (runs / f"open/{i}/result.json").unlink()
    result = rankqa("table", runs)
    assert result.stderr == f"not counted: {runs / 'open/0'} and 6 more: unfinished\n"


def test_the_same_run_counts_once(rankqa, runs, tmp_path):
    write_run(tmp_path / "copied", srocc=0.8, seed=0, batch=16)
    result = rankqa("table", runs, runs / "16", tmp_path / "copied")
    assert result.stdout == rankqa("table", runs).stdout
    assert result.stderr == f"not counted: {tmp_path / 'copied'}: a copy of {runs / '16/0'}\n"


def test_databases_are_rows_and_undefined_values_are_named(rankqa, tmp_path):
    summary = write_run(tmp_path / "x/a", srocc=0.5)
    parts = {"test, live": summary, "test, kadid": summary | {"srocc": None}, "validation, live": summary}
    write_run(tmp_path / "y/a", srocc=0.5, parts=parts)
    write_run(tmp_path / "y/b", srocc=0.5, parts=parts, seed=1)
    lines = rankqa("table", tmp_path / "y").stdout.splitlines()
    assert lines[1].split("  ")[0] == "test, kadid"
    assert "2 (2 undefined)" in lines[1]
    assert "undefined" in lines[1].split(")")[1]
    assert lines[2].split()[:4] == ["test,", "live", "2", "0.5000"]


def test_splits_are_repeats_with_a_warning(rankqa, tmp_path):
    for i, value in enumerate((0.5, 0.6)):
        write_run(tmp_path / str(i), srocc=value, data={"manifest": "m.csv", "split_seed": i})
    lines = rankqa("table", tmp_path).stdout.splitlines()
    assert lines[1].split()[:2] == ["2", "0.5500"]
    assert "which differ in data.split_seed; splits of one database share stimuli" in lines[2]


@pytest.fixture
def sweep(tmp_path):
    """Two losses on two folds, a variant each, and two seeds; the fold is a repetition."""
    runs = {}
    for i, loss in enumerate(("mse", "spearman + bank")):
        for fold in ("one", "two"):
            for seed in (0, 1):
                run_id = f"{i}{fold}{seed}"
                bank = {"kind": "table"} if i else None
                objective = {"terms": [{"name": loss.split()[0], "bank": i > 0}], "bank": bank}
                data = {"manifest": "m.csv", "split": f"{fold}.csv"}
                srocc = 0.1 * i + 0.01 * seed + (0.001 if fold == "one" else 0.0)
                write_run(tmp_path / "sweep/runs" / run_id, srocc=srocc, seed=seed, objective=objective, data=data)
                runs[run_id] = {"settings": {"loss": loss, "fold": fold, "engine.batch_size": 8, "seed": seed}}
    (tmp_path / "sweep/grid.json").write_text(json.dumps({"question": "Which?", "runs": runs}))
    return tmp_path / "sweep"


def test_a_sweep_is_named_by_its_axes(rankqa, sweep, tmp_path, monkeypatch):
    result = rankqa("table", sweep)
    header, first, second, note = result.stdout.splitlines()
    assert header.split()[:3] == ["loss", "n", "SROCC"]
    assert first.split()[:3] == ["mse", "4", "0.0055"]
    assert second.split()[:5] == ["spearman", "+", "bank", "4", "0.1055"]
    assert "differ in seed, data.split" in note
    monkeypatch.chdir(sweep)
    for folders in (["runs"], [sweep / "runs"], sorted((sweep / "runs").iterdir())):
        assert rankqa("table", *folders).stdout == result.stdout
    # As keys alone, where there is no grid.
    (sweep / "grid.json").unlink()
    assert rankqa("table", sweep).stdout.split()[:2] == ["objective.terms.0.name", "objective.bank.kind"]


def test_axes_and_keys_group_together(rankqa, fails, sweep):
    result = rankqa("table", sweep, "--by", "fold", "--by", "objective.terms.0.name", "--by", "engine.batch_size")
    lines = [line.split()[:5] for line in result.stdout.splitlines()[:-1]]
    assert lines[0][:3] == ["fold", "objective.terms.0.name", "engine.batch_size"]
    assert lines[1] == ["one", "mse", "8", "2", "0.0060"]
    assert [line[:2] for line in lines[2:]] == [["one", "spearman"], ["two", "mse"], ["two", "spearman"]]
    assert "no run has 'los' as an axis or a key: did you mean 'loss'?" in fails(2, "table", sweep, "--by", "los")


def test_what_labels_do_not_tell_is_a_column_too(rankqa, fails, sweep, tmp_path):
    """A later grid in the folder changed what all runs share."""
    index = json.loads((sweep / "grid.json").read_text())
    write_run(sweep / "runs/late", srocc=0.7, seed=2, batch=64, objective={"terms": [{"name": "mse", "bank": False}]})
    index["runs"]["late"] = {"settings": {"loss": "mse", "seed": 2}}
    (sweep / "grid.json").write_text(json.dumps(index))
    lines = rankqa("table", sweep).stdout.splitlines()
    assert lines[0].split()[:3] == ["loss", "engine.batch_size", "n"]
    assert [line.split()[:3] for line in lines[1:3]] == [["mse", "8", "4"], ["mse", "64", "1"]]
    # Beside runs of no sweep there are keys alone.
    write_run(tmp_path / "alone", srocc=0.5)
    assert rankqa("table", sweep, tmp_path / "alone").stdout.startswith("objective.terms.0.name  ")
    for text in ("{", "[]", "{}", '{"runs": []}', '{"runs": {"late": 3}}'):
        (sweep / "grid.json").write_text(text)
        assert f"damaged: {sweep / 'grid.json'}" in fails(1, "table", sweep)


def test_bad_input_in_one_line(fails, tmp_path, runs):
    assert "no folder" in fails(1, "table", tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert "no run folder in" in fails(1, "table", tmp_path / "empty")
    assert "did you mean 'engine.batch_size'?" in fails(2, "table", runs, "--by", "engine.batchsize")
    assert "no finished run with a validation part" in fails(1, "table", runs, "--part", "validation")
    result = json.loads((runs / "2/0/result.json").read_text())
    result["parts"]["test"]["srocc"] = math.nan
    (tmp_path / "nan").mkdir()
    (tmp_path / "nan/config.json").write_text("{}")
    (tmp_path / "nan/result.json").write_text(json.dumps(result))
    assert "no finished run" in fails(1, "table", tmp_path / "nan")
