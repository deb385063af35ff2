import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.metrics import METRICS, score
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.point_set import PointSet
from pcqa.metrics.point_to_point import d1
from rankqa_datasets.errors import InputError


def sheet(seed: int = 0, *, side: int = 30, scale: float = 1.0, colored: bool = True, normals: bool = True) -> Cloud:
    """A wavy sheet of side x side voxels."""
    rng, size = np.random.default_rng(seed), side**2
    x, y = (axis.ravel().astype(np.float64) for axis in np.mgrid[:side, :side])
    z = np.round(14 + 4 * np.sin(x / 5) + 3 * np.cos(y / 4)) + rng.integers(0, 2, size) * (seed > 0)
    colors = (np.stack([x, y, 2 * z], axis=1) / 2 / side + 0.1 * rng.random((size, 3))).clip(0, 1).astype(np.float32)
    up = np.tile(np.array([0, 0, 1], np.float32), (size, 1))
    return Cloud(scale * np.stack([x, y, z], axis=1), colors if colored else None, up if normals else None)


def test_every_metric_scores_a_distorted_cloud_below_the_reference_itself():
    reference, distorted = sheet(side=80), sheet(1, side=80)
    reach = {name: {"reach": 5.0} for name in ("graphsim", "ms-graphsim")}  # the sheet is too flat for the default
    same = score(reference, reference, metrics=list(METRICS), options=reach)
    other = score(reference, distorted, metrics=list(METRICS), options=reach)
    for name in METRICS:
        if name != "angular":  # the normals are equal
            assert other[name].score < same[name].score, name
        assert other[name].values[METRICS[name].field] in (other[name].score, -other[name].score)


def test_values_are_those_of_the_function():
    reference, distorted = sheet(), sheet(1)
    found = score(reference, distorted, metrics=["d1"], options={"d1": {"peak": 1023}})["d1"]
    expected = d1(CloudPair(reference, distorted), peak=1023.0)
    assert found.score == expected.psnr
    assert found.values["hausdorff_ba"] == expected.hausdorff_ba


def test_metrics_of_one_call_share_their_searches(monkeypatch):
    built = []
    tree = PointSet.tree.func
    monkeypatch.setattr(PointSet.tree, "func", lambda points: built.append(points) or tree(points))
    clouds = sheet(scale=0.37), sheet(1, scale=0.37)  # off the voxel grid, where no tree is needed
    names = ["d1", "d2", "yuv", "angular", "p2d"]
    score(*clouds, metrics=names)
    together = len(built)
    built.clear()
    for name in names:
        score(*clouds, metrics=[name])
    assert 0 < together < len(built)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["d1", "d2", "yuv", "pcqm"]),
        ({"colored": False}, ["d1", "d2"]),
        ({"normals": False}, ["d1", "yuv", "pcqm"]),
        ({"colored": False, "normals": False}, ["d1"]),
    ],
)
def test_by_default_what_the_clouds_have(options, expected):
    assert list(score(sheet(**options), sheet(1, **options))) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metrics": ["d9"]}, "expected a cloud metric of d1, d2, .* got 'd9'"),
        ({"metrics": ["d1"], "options": {"d9": {}}}, "got 'd9'"),
        ({"metrics": ["d1"], "options": {"d1": {"peek": 1}}}, "d1 has no option 'peek', expected one of: peak"),
        ({"metrics": ["d1"], "options": {"d1": {"peak": "x"}}}, r"d1\.peak: Input should be a valid number.* got 'x'"),
        ({"metrics": ["yuv"], "options": {"yuv": {"space": "lab"}}}, r"yuv\.space: Input should be 'ycbcr'"),
    ],
)
def test_what_does_not_fit_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        score(sheet(), sheet(1), **arguments)


def test_a_metric_asked_for_by_name_is_never_left_out():
    with pytest.raises(InputError, match="needs the reference's normals"):
        score(sheet(normals=False), sheet(1), metrics=["d1", "d2"])
    with pytest.raises(InputError, match="compares colours"):
        score(sheet(), sheet(1, colored=False), metrics=["pcqm"])
