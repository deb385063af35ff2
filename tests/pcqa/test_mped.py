from pathlib import Path

import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.mped import COLOR_SPACES, mped
from rankqa_datasets.errors import InputError

KEYS = np.array([3, 50, 50, 111])


def cloud(points, rgb, source=None):
    return Cloud(points, (np.asarray(rgb) / 255).astype(np.float32), source=source)


@pytest.fixture
def voxels():
    generator = np.random.default_rng(0)
    points = generator.integers(0, 8, (300, 3)).astype(np.float64)
    rgb = generator.integers(0, 256, (300, 3))
    moved = (points + generator.normal(size=points.shape) / 2).round()
    return cloud(points, rgb), cloud(moved[:-30], np.clip(rgb + 20, 0, 255)[:-30])


def masses(space, difference):
    red, green, blue = difference
    if space == "RGB":
        return np.sqrt(abs(red) + 2 * abs(green) + abs(blue) + 1)
    if space == "LMN":
        first = 0.06 * red + 0.63 * green + 0.27 * blue
        others = abs(0.30 * red + 0.04 * green - 0.35 * blue) + abs(0.34 * red - 0.60 * green + 0.17 * blue)
    else:
        first = 0.299 * red + 0.587 * green + 0.114 * blue
        others = abs(0.5 * red - 0.4187 * green - 0.0813 * blue) + abs(-0.1678 * red - 0.3313 * green + 0.5 * blue)
    return np.sqrt(6 * abs(first) + others + 1)


def naive(reference, distorted, space, k):
    differences, squares = [], []
    for key in KEYS:
        place, color = reference.points[key], np.rint(reference.colors[key].astype(np.float64) * 255)
        energies = []
        for shape in (reference, distorted):
            rgb = np.rint(shape.colors.astype(np.float64) * 255)
            by_distance = sorted((((x - place) ** 2).sum(), *x, *c) for x, c in zip(shape.points, rgb, strict=True))
            energies.append(0)
            for square, _, _, _, *neighbor in by_distance[:k]:
                energies[-1] += masses(space, np.array(neighbor) - color) * square / np.sqrt(square + 1)
                if shape is reference:
                    squares.append(square)
        differences.append(abs(energies[0] - energies[1]))
    return sum(differences) / (len(KEYS) * k) / np.sqrt(np.mean(squares))


@pytest.mark.parametrize("space", COLOR_SPACES)
def test_equals_loops_over_neighbours(voxels, space):
    result = mped(CloudPair(*voxels), color_space=space, key_points=KEYS)
    assert result.difference_5 == pytest.approx(naive(voxels[0], voxels[1], space, 5), rel=1e-12)
    assert result.difference_10 == pytest.approx(naive(voxels[0], voxels[1], space, 10), rel=1e-12)
    assert result.difference == (result.difference_5 + result.difference_10) / 2
    np.testing.assert_array_equal(result.key_points, KEYS)


def test_a_case_by_hand():
    # A row of points one apart, all of one colour; the distorted row is two apart. The key point is the first.
    row = np.arange(12.0)[:, None] * [1.0, 0, 0]
    reference, distorted = cloud(row, np.full((12, 3), 60)), cloud(2 * row, np.full((12, 3), 60))
    result = mped(CloudPair(reference, distorted), key_points=np.array([0]))
    for k, found in ((5, result.difference_5), (10, result.difference_10)):
        d = np.arange(k)
        energies = (d**2 / np.sqrt(d**2 + 1)).sum(), (4 * d**2 / np.sqrt(4 * d**2 + 1)).sum()
        assert found == pytest.approx((energies[1] - energies[0]) / k / np.sqrt((d**2).mean()))


@pytest.mark.parametrize("space", COLOR_SPACES)
def test_a_cloud_with_itself_has_no_difference(voxels, space):
    pair = CloudPair(voxels[0], voxels[0])
    assert mped(pair, color_space=space).difference == 0


def test_the_order_of_points_does_not_matter(voxels):
    generator = np.random.default_rng(1)
    # Without repeated positions, so that a key point of the shuffled cloud is the same point.
    reference = Cloud(voxels[0].points + generator.random((300, 1)), voxels[0].colors)
    orders = [generator.permutation(shape.num_points) for shape in voxels]
    shuffled = [
        Cloud(shape.points[order], shape.colors[order] if shape.colors is not None else None)
        for shape, order in zip((reference, voxels[1]), orders, strict=True)
    ]
    expected, found = (
        mped(CloudPair(*pair), seed=2, points_per_key_point=30) for pair in ((reference, voxels[1]), shuffled)
    )
    assert found.difference == expected.difference > 0
    np.testing.assert_array_equal(orders[0][found.key_points], expected.key_points)


def test_a_shift_of_both_clouds_does_not_matter(voxels):
    moved = CloudPair(*(Cloud(shape.points + np.array([64.0, -1024, 8]), shape.colors) for shape in voxels))
    assert mped(moved, key_points=KEYS).difference == mped(CloudPair(*voxels), key_points=KEYS).difference


def test_one_sided_and_repeated_points_count(voxels):
    there = mped(CloudPair(*voxels), key_points=KEYS).difference
    assert abs(mped(CloudPair(*voxels[::-1]), key_points=KEYS).difference - there) > 1e-6
    reference, distorted = voxels
    twice = Cloud(np.vstack((distorted.points,) * 2), np.vstack((distorted.colors,) * 2))
    assert abs(mped(CloudPair(reference, twice), key_points=KEYS).difference - there) > 1e-6


def test_key_points_are_drawn_by_seed_and_can_be_given_again(voxels):
    pair = CloudPair(*voxels)
    drawn = mped(pair, seed=4, points_per_key_point=20)
    assert len(drawn.key_points) == 15
    assert mped(pair, key_points=drawn.key_points).difference == drawn.difference
    assert mped(pair, seed=5, points_per_key_point=20).difference != drawn.difference
    assert len(mped(pair).key_points) == 1


def test_refuses_what_has_no_value(voxels):
    reference, distorted = voxels
    pair = CloudPair(reference, distorted)
    with pytest.raises(InputError, match="expected a color_space of RGB, LMN, YUV, got 'rgb'"):
        mped(pair, color_space="rgb")
    with pytest.raises(InputError, match="cloud: MPED compares colours"):
        mped(CloudPair(reference, Cloud(distorted.points)))
    few = cloud(distorted.points[:9], np.zeros((9, 3)), Path("few.ply"))
    for both in ((reference, few), (few, reference)):
        with pytest.raises(InputError, match=r"few\.ply: MPED needs 10 points, got 9"):
            mped(CloudPair(*both))
    one = cloud(np.zeros((40, 3)), np.zeros((40, 3)), Path("one.ply"))
    with pytest.raises(InputError, match=r"one\.ply: the 5 nearest points of every key point lie on it"):
        mped(CloudPair(one, one))
    with pytest.raises(InputError, match="expected key_points= to be rows of the reference, 0 to 299, got 0 to 300"):
        mped(pair, key_points=np.array([0, 300]))
    far = Cloud(distorted.points * 1e200, distorted.colors, source=Path("far.ply"))
    with pytest.raises(InputError, match=r"far\.ply: .*1e\+100"):
        mped(CloudPair(reference, far))
    large = CloudPair(*(Cloud(shape.points * 1e60, shape.colors) for shape in voxels))
    assert np.isfinite(mped(large).difference)
