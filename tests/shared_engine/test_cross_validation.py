"""Joined folds against SciPy on the same rows, and against the functions that judge a single run."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from rankqa_datasets.errors import InputError
from rankqa_datasets.split import Split
from rankqa_datasets.stimulus import Stimulus
from shared_engine.cross_validation import CrossValidation, cross_validate
from shared_engine.fold_runs import read_fold_run
from shared_engine.intervals import bootstrap_intervals
from shared_engine.recipe_oracle import oracle_over_folds
from shared_engine.run_folder import read_csv
from shared_engine.score_mapping import fit_mapping

CONTENTS, LEVELS = 6, 5
TARGETS = np.random.default_rng(5).normal(3, 1, (CONTENTS, LEVELS)).round(3)


def rows_of(content: int) -> list[dict[str, str]]:
    return [
        {"id": f"{content}_{level}", "content": f"c{content}", "recipe": f"r{level}", "target": repr(float(target))}
        for level, target in enumerate(TARGETS[content])
    ]


def write_fold(
    folder: Path, fold: int, seed: int = 0, *, scale: float = 1.0, constant: bool = False, **changes
) -> Path:
    """A run that tested two contents; its scores are `scale` times noisy targets."""
    folder.mkdir(parents=True)
    tested = [row for content in (2 * fold, 2 * fold + 1) for row in rows_of(content)]
    rng = np.random.default_rng([fold, seed])
    for row in tested:
        row["score"] = "1.0" if constant else repr(scale * (float(row["target"]) + rng.normal()))
        row["split"] = "test"
    write_rows(folder / "predictions.csv", tested)
    own = {row["id"] for row in tested}
    every = [row["id"] for content in range(CONTENTS) for row in rows_of(content)]
    write_rows(folder / "split.csv", [{"path": i, "split": "test" if i in own else "train"} for i in every])
    data = {"manifest": "m.csv", "split": f"folds/fold_{fold + 1}.csv", "split_seed": 0}
    (folder / "config.json").write_text(json.dumps({"seed": seed, "data": data, "lr": 0.1} | changes))
    # The inverse of the scale, as a line fitted to training predictions would be.
    calibration = {"form": "linear", "parameters": [1 / scale, 0.0], "center": 0.0, "scale": 1.0}
    result = {"seed": seed, "split_digest": f"{fold}", "calibration": None if constant else calibration}
    result["baselines"] = {"d1": {"srocc": 0.1 * (fold + 1)}}
    (folder / "result.json").write_text(json.dumps(result))
    return folder


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def join(*folders: Path) -> CrossValidation:
    (found,) = cross_validate([read_fold_run(folder) for folder in folders])
    return found


def columns(*folders: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    rows = [row for folder in folders for row in read_csv(folder / "predictions.csv")]
    scores, targets = (np.array([float(row[key]) for row in rows]) for key in ("score", "target"))
    return scores, targets, [row["content"] for row in rows]


def test_folds_their_spread_and_the_corrected_interval(tmp_path):
    folders = [write_fold(tmp_path / str(fold), fold) for fold in range(3)]
    found = join(*folders)
    naive = [stats.spearmanr(*columns(folder)[:2])[0] for folder in folders]
    assert [fold.values["srocc"] for fold in found.folds] == pytest.approx(naive, abs=1e-12)
    assert [fold.name for fold in found.folds] == ["fold_1", "fold_2", "fold_3"]
    assert [fold.contents for fold in found.folds] == [("c0", "c1"), ("c2", "c3"), ("c4", "c5")]
    spread = found.spread["srocc"]
    assert (spread.mean, spread.sd) == pytest.approx((np.mean(naive), np.std(naive, ddof=1)), abs=1e-12)
    # Nadeau and Bengio: 10 test stimuli to 20 training stimuli in each of 3 folds.
    half = stats.t.ppf(0.975, 2) * np.std(naive, ddof=1) * np.sqrt(1 / 3 + 10 / 20)
    assert spread.interval == pytest.approx((np.mean(naive) - half, np.mean(naive) + half), abs=1e-9)
    assert spread.sd_seeds is None
    assert found.spread["d1 srocc"].mean == pytest.approx(0.2)


def test_pooled_raw_scores_are_judged_as_those_of_one_run(tmp_path):
    folders = [write_fold(tmp_path / str(fold), fold, scale=10.0**fold) for fold in range(3)]
    raw = join(*folders).pooled["raw"]
    scores, targets, contents = columns(*folders)
    mapping = fit_mapping(scores, targets)
    intervals = bootstrap_intervals(scores, targets, contents, mapping=mapping)
    assert raw.srocc == pytest.approx(stats.spearmanr(scores, targets)[0], abs=1e-12)
    assert raw.plcc == pytest.approx(stats.pearsonr(mapping(scores), targets)[0], abs=1e-12)
    assert raw.rmse == pytest.approx(np.sqrt(np.mean((mapping(scores) - targets) ** 2)), abs=1e-12)
    assert (raw.srocc_interval, raw.plcc_interval, raw.rmse_interval) == (
        intervals.srocc,
        intervals.plcc_mapped,
        intervals.rmse,
    )


def test_calibration_undoes_the_scales_of_the_folds(tmp_path):
    equal = join(*[write_fold(tmp_path / f"a{fold}", fold) for fold in range(3)])
    scaled = join(*[write_fold(tmp_path / f"b{fold}", fold, scale=10.0**fold) for fold in range(3)])
    for name in ("srocc", "plcc", "rmse", "srocc_interval", "rmse_interval"):
        own, other = (getattr(found.pooled["calibrated"], name) for found in (equal, scaled))
        assert own == pytest.approx(other, rel=1e-9)
    raw = equal.pooled["raw"].srocc
    assert raw is not None
    assert scaled.pooled["raw"].srocc != pytest.approx(raw, abs=0.01)
    # A line of slope 1 leaves the ranks as they are.
    assert equal.pooled["calibrated"].srocc == pytest.approx(raw, abs=1e-12)
    for one, two in zip(equal.folds, scaled.folds, strict=True):
        assert one.values["rmse_calibrated"] == pytest.approx(two.values["rmse_calibrated"], rel=1e-9)
        assert one.values["srocc"] == two.values["srocc"]


def test_seeds_are_averaged_within_folds(tmp_path):
    grid = [[write_fold(tmp_path / f"{seed}/{fold}", fold, seed) for seed in (0, 1, 2)] for fold in range(3)]
    found = join(*[folder for fold in grid for folder in fold[::-1]])
    values = np.array([[stats.spearmanr(*columns(folder)[:2])[0] for folder in fold] for fold in grid])
    assert found.seeds == (0, 1, 2)
    assert [fold.values["srocc"] for fold in found.folds] == pytest.approx(values.mean(axis=1).tolist(), abs=1e-12)
    spread = found.spread["srocc"]
    assert spread.sd == pytest.approx(np.std(values.mean(axis=1), ddof=1), abs=1e-12)
    assert spread.sd_seeds == pytest.approx(np.std(values.mean(axis=0), ddof=1), abs=1e-12)
    by_seed = [stats.spearmanr(*columns(*[fold[seed] for fold in grid])[:2])[0] for seed in range(3)]
    assert found.pooled["raw"].srocc == pytest.approx(np.mean(by_seed), abs=1e-12)
    interval = found.pooled["raw"].srocc_interval
    assert interval is not None
    assert interval[0] < np.mean(by_seed) < interval[1]


def test_the_recipe_oracle_is_that_of_the_manifest(tmp_path):
    folders = [write_fold(tmp_path / str(fold), fold) for fold in range(3)]
    found = join(*folders)
    stimuli = [
        Stimulus(row["id"], Path(row["id"]), float(row["target"]), None, row["content"], recipe=row["recipe"])
        for content in range(CONTENTS)
        for row in rows_of(content)
    ]
    splits = [Split({s.id: "test" if int(s.id[0]) // 2 == fold else "train" for s in stimuli}) for fold in range(3)]
    report = oracle_over_folds(stimuli, splits)
    assert [fold.values["recipe-oracle srocc"] for fold in found.folds] == [fold.srocc for fold in report.folds]
    pooled = found.pooled["recipe-oracle"]
    assert (pooled.srocc, pooled.plcc) == pytest.approx((report.pooled_srocc, report.pooled_plcc), abs=1e-12)
    assert pooled.srocc_interval == report.pooled_srocc_interval
    # Two folds alone do not tell the targets of the third, which they were trained on.
    assert "recipe-oracle" not in join(*folders[:2]).pooled


def test_a_fold_without_skill_is_left_out_and_said(tmp_path):
    folders = [write_fold(tmp_path / str(fold), fold, constant=fold == 1) for fold in range(3)]
    (folders[0] / "split.csv").unlink()
    found = join(*folders)
    assert found.folds[1].values["srocc"] is None
    assert (found.spread["srocc"].undefined, found.spread["srocc"].interval) == (1, None)
    assert "calibrated" not in found.pooled
    assert [note.partition(":")[0] for note in found.notes] == [
        "SROCC is undefined in 1 fold(s), which the mean leaves out",
        "no calibrated row",
        "no interval over folds",
    ]


def test_databases_are_joined_apart(tmp_path):
    folders = [write_fold(tmp_path / str(fold), fold) for fold in range(3)]
    for folder in folders:
        rows = read_csv(folder / "predictions.csv")
        write_rows(folder / "predictions.csv", [row | {"database": f"d{int(row['id'][0]) % 2}"} for row in rows])
        result = json.loads((folder / "result.json").read_text())
        result["baselines"] = {"d1, d0": {"srocc": 0.5}, "d1, d1": {"srocc": 0.25}}
        (folder / "result.json").write_text(json.dumps(result))
    even, odd = cross_validate([read_fold_run(folder) for folder in folders])
    assert (even.database, odd.database) == ("d0", "d1")
    assert [fold.contents for fold in odd.folds] == [("c1",), ("c3",), ("c5",)]
    assert (even.spread["d1 srocc"].mean, odd.spread["d1 srocc"].mean) == (0.5, 0.25)
    assert "recipe-oracle" in even.pooled


def test_runs_that_do_not_belong_together(tmp_path):
    a = write_fold(tmp_path / "a", 0)
    cases = {
        "lr = 0.1 in .*a and 0.2 in .*b": write_fold(tmp_path / "b", 1, lr=0.2),
        "data.manifest = m.csv in .*a and n.csv in .*c": write_fold(tmp_path / "c", 1, data={"manifest": "n.csv"}),
        "have the seed 0 and both test '0_0': give one run for each fold": write_fold(tmp_path / "d", 0),
        "no run of seed 1 has the test part of .*a ": write_fold(tmp_path / "e", 1, 1),
    }
    other = write_fold(tmp_path / "f", 0, 1)
    rows = read_csv(other / "predictions.csv")
    write_rows(other / "predictions.csv", [rows[0] | {"target": "9"}, *rows[1:]])
    cases["disagree about '0_0': target .* of content 'c0', and 9 of 'c0'"] = other
    for message, second in cases.items():
        with pytest.raises(InputError, match=message) as caught:
            join(a, second)
        assert "\n" not in str(caught.value)
    (a / "result.json").write_text('{"seed": 0, "split_digest": "0", "baselines": {"d1": 3}}')
    with pytest.raises(InputError, match="is damaged: baselines or calibration"):
        read_fold_run(a)
