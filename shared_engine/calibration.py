"""From a model's own scale to the subjective scale of the data it was trained on."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import Stimulus
from shared_engine.parts import Parts
from shared_engine.run_folder import RunFolder, read_json
from shared_engine.score_mapping import Mapping, fit_mapping

Array = NDArray[np.float64]

MOST_STIMULI = 1000  # four parameters need no more


def fit_calibration(parts: Parts, predict: Callable[[Sequence[Stimulus]], Array]) -> dict[str, Any] | None:
    """Fits the monotone logistic from scores to targets, for `result.json`; None where all scores are equal.

    On the validation part, whose scores are not flattered by training; without one on the training part (at most a
    thousand of its stimuli, evenly spaced). Never on the test part. None too for a mixture of databases, which have no
    common scale.
    """
    if parts.mixture is not None:
        return None
    part, stimuli = ("validation", parts.validation) if parts.validation else ("train", parts.train)
    chosen = [stimuli[i] for i in np.unique(np.linspace(0, len(stimuli) - 1, MOST_STIMULI).round().astype(int))]
    scores, targets = predict(chosen), np.array([s.target for s in chosen])
    if len(chosen) < 2 or np.ptp(scores) == 0:
        return None
    return {"part": part, "stimuli": len(chosen), **asdict(fit_mapping(scores, targets))}


def read_calibration(folder: RunFolder) -> Mapping:
    """The mapping of a finished run.

    Raises:
        InputError: the run has none.
    """
    entry = read_json(folder.result).get("calibration")
    if entry is None:
        raise InputError(
            f"{folder.path} holds no calibration: its scores were all equal, or its databases have no common scale"
        )
    return Mapping(entry["form"], tuple(entry["parameters"]), entry["center"], entry["scale"])
