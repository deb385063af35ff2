from collections import defaultdict

import numpy as np
import pytest
from PIL import Image

from imgqa.demo_set import TOLERANCE, activity, build_image_demo, latent_quality
from rankqa_datasets.demo_folder import demo_noise_ceiling
from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import check_manifest, read_manifest

SMALL = {"contents": 3, "test_contents": 3, "size": 48}


def decode(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_small_set(tmp_path):
    path = build_image_demo(tmp_path / "demo", seed=1, **SMALL)
    assert check_manifest(path, low=1, high=5, decode=decode) == []
    stimuli = read_manifest(path).stimuli
    assert len(stimuli) == 6 * 4 * 5
    assert {s.split for s in stimuli} == {"train", "test"}
    assert len({s.content for s in stimuli}) == 6
    assert {s.votes for s in stimuli} == {30}
    for stimulus in stimuli:
        assert decode(stimulus.path).shape == decode(stimulus.reference).shape == (48, 48, 3)
    assert 0.94 < demo_noise_ceiling(path) < 1
    # Recipes alone do not give the target away: contents mask differently.
    by_recipe = defaultdict(list)
    for stimulus in stimuli:
        by_recipe[stimulus.recipe].append(stimulus.target)
    assert max(np.ptp(targets) for targets in by_recipe.values()) > 0.5

    again = build_image_demo(tmp_path / "again", seed=1, **SMALL)
    other = build_image_demo(tmp_path / "other", seed=2, **SMALL)
    assert again.read_bytes() == path.read_bytes()
    assert other.read_bytes() != path.read_bytes()
    first = stimuli[7].id
    assert (again.parent / first).read_bytes() == (path.parent / first).read_bytes()


@pytest.mark.parametrize("name", TOLERANCE)
def test_quality_falls_with_the_level(name):
    for busy in (-1.0, 0.0, 1.0):
        ladder = [latent_quality(name, level, busy) for level in range(1, 6)]
        assert ladder == sorted(ladder, reverse=True)
        assert 0 < ladder[-1] < 0.4 < 0.6 < ladder[0] < 1


def test_activity_orders_images():
    smooth = np.full((64, 64, 3), 90, np.uint8)
    rng = np.random.default_rng(0)
    mild, strong = (np.clip(90 + rng.normal(0, std, (64, 64, 3)), 0, 255).astype(np.uint8) for std in (12, 60))
    assert -1 == activity(smooth) < activity(mild) < activity(strong) <= 1


def test_bad_options(tmp_path):
    with pytest.raises(InputError, match="at least 1 content"):
        build_image_demo(tmp_path, contents=0)
