from pathlib import Path

import numpy as np
import pytest

from pcqa.baselines import full_reference_scores
from pcqa.cloud import Cloud
from pcqa.io.ply import write_ply
from pcqa.metrics import score
from rankqa_datasets.errors import InputError
from rankqa_datasets.stimulus import Stimulus


@pytest.fixture
def clouds():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 3)).astype(np.float32)
    colors = (rng.integers(0, 256, (200, 3)) / 255).astype(np.float32)
    noisy = points + rng.normal(0, 0.01, points.shape).astype(np.float32)
    return Cloud(points, colors), Cloud(noisy, colors[::-1].copy())


def scores(folder: Path, reference: Cloud, distorted: Cloud, names=None) -> dict[str, float]:
    write_ply(reference, folder / "reference.ply")
    write_ply(distorted, folder / "distorted.ply")
    return full_reference_scores(stimulus(folder, folder / "reference.ply"), names)


def stimulus(folder: Path, reference: Path | None) -> Stimulus:
    return Stimulus(id="distorted.ply", path=folder / "distorted.ply", target=1.0, reference=reference, content="c")


def test_they_are_the_metrics_own_scores(clouds, tmp_path):
    expected = {name: one.score for name, one in score(*clouds).items()}
    assert scores(tmp_path, *clouds) == pytest.approx(expected, rel=1e-6)
    assert list(expected) == ["d1", "yuv", "pcqm"]
    assert scores(tmp_path, *clouds, names=["d1"]) == pytest.approx({"d1": expected["d1"]}, rel=1e-6)


def test_what_clouds_do_not_allow_is_left_out(clouds, tmp_path):
    reference, distorted = clouds
    assert list(scores(tmp_path, Cloud(reference.points), distorted)) == ["d1"]
    # No peak for D1, no unit of length for PCQM; colours can be compared.
    dot = Cloud(np.zeros_like(reference.points), reference.colors)
    assert list(scores(tmp_path, dot, dot)) == ["yuv"]
    assert scores(tmp_path, dot, dot, names=["d1"]) == {}


def test_a_missing_or_broken_reference_is_an_error(clouds, tmp_path):
    scores(tmp_path, *clouds)
    with pytest.raises(InputError, match=r"distorted.ply has no reference .* column reference"):
        full_reference_scores(stimulus(tmp_path, None))
    (tmp_path / "reference.ply").write_bytes(b"ply\n")
    with pytest.raises(InputError, match=r"reference.ply"):
        full_reference_scores(stimulus(tmp_path, tmp_path / "reference.ply"))
