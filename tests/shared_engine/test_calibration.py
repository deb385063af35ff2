import json

import numpy as np
import pytest
from scipy import stats

from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import read_manifest
from rankqa_datasets.split import Split
from shared_engine.calibration import fit_calibration, read_calibration
from shared_engine.parts import Parts
from shared_engine.run_folder import RunFolder

SPLIT = Split({})  # not looked at here


@pytest.fixture
def parts(manifest) -> Parts:
    stimuli = read_manifest(manifest).stimuli
    return Parts(stimuli[:40], stimuli[40:50], stimuli[50:], SPLIT)


def monotone(stimuli):
    return np.array([np.tanh(0.3 * s.target) * 7 - 100 for s in stimuli])


def test_the_map_is_fitted_on_validation_else_on_training_and_never_on_test(parts):
    seen = []

    def predict(stimuli):
        seen.extend(s.id for s in stimuli)
        return monotone(stimuli)

    assert fit_calibration(parts, predict)["part"] == "validation"
    without = Parts(parts.train, (), parts.test, SPLIT)
    entry = fit_calibration(without, predict)
    assert (entry["part"], entry["stimuli"]) == ("train", 40)
    assert not {s.id for s in parts.test} & set(seen)


def test_calibrated_scores_are_on_the_targets_scale_in_the_same_order(parts, tmp_path):
    entry = fit_calibration(parts, monotone)
    folder = RunFolder(tmp_path)
    folder.result.write_text(json.dumps({"calibration": entry}))
    to_scale = read_calibration(folder)
    scores, targets = monotone(parts.test), np.array([s.target for s in parts.test])
    mapped = to_scale(scores)
    assert stats.spearmanr(mapped, scores).statistic == pytest.approx(1)
    assert np.abs(mapped - targets).mean() < 0.2 * targets.std()


def test_equal_scores_have_no_map(parts, tmp_path):
    assert fit_calibration(parts, lambda stimuli: np.zeros(len(stimuli))) is None
    folder = RunFolder(tmp_path)
    folder.result.write_text(json.dumps({"calibration": None}))
    with pytest.raises(InputError, match="holds no calibration"):
        read_calibration(folder)
