from collections import defaultdict

import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.demo_set import TOLERANCE, build_cloud_demo, color_variety, latent_quality
from pcqa.io.ply import read_ply
from rankqa_datasets.demo_folder import demo_noise_ceiling
from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import check_manifest, read_manifest

SMALL = {"contents": 6, "test_contents": 6, "points": 500}


def test_small_set(tmp_path):
    path = build_cloud_demo(tmp_path / "demo", seed=1, **SMALL)
    assert check_manifest(path, low=1, high=5, decode=read_ply) == []
    stimuli = read_manifest(path).stimuli
    assert len(stimuli) == 12 * 3 * 2
    assert len({s.recipe for s in stimuli}) == 3 * 4
    assert {s.split for s in stimuli} == {"train", "test"}
    assert len({s.content for s in stimuli}) == 12
    for stimulus in stimuli:
        assert stimulus.reference is not None
        cloud, reference = read_ply(stimulus.path), read_ply(stimulus.reference)
        assert cloud.colors is not None
        np.testing.assert_array_equal(reference.points, np.rint(reference.points))
        assert reference.points.max() == 1023
    assert 0.93 < demo_noise_ceiling(path) < 1
    by_recipe = defaultdict(list)
    for stimulus in stimuli:
        by_recipe[stimulus.recipe].append(stimulus.target)
    assert max(np.ptp(targets) for targets in by_recipe.values()) > 0.5

    again = build_cloud_demo(tmp_path / "again", seed=1, **SMALL)
    assert again.read_bytes() == path.read_bytes()
    first = stimuli[7].id
    assert (again.parent / first).read_bytes() == (path.parent / first).read_bytes()


@pytest.mark.parametrize("name", TOLERANCE)
def test_quality_falls_with_the_level(name):
    for variety in (-1.0, 0.0, 1.0):
        ladder = [latent_quality(name, level, variety) for level in range(1, 5)]
        assert ladder == sorted(ladder, reverse=True)
        assert 0 < ladder[-1] < 0.4 < 0.6 < ladder[0] < 1


def test_variety_orders_clouds():
    rng = np.random.default_rng(0)
    points = rng.uniform(size=(300, 3))
    plain = Cloud(points, np.full((300, 3), 0.5, np.float32))
    some, much = (Cloud(points, (0.5 + rng.uniform(-r, r, (300, 3))).astype(np.float32)) for r in (0.04, 0.5))
    assert -1 == color_variety(plain) < color_variety(some) < color_variety(much) <= 1
    assert color_variety(Cloud(points)) == 0


def test_bad_options(tmp_path):
    with pytest.raises(InputError, match="at least 1 content"):
        build_cloud_demo(tmp_path, points=3)
