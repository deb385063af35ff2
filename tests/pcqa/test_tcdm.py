from functools import partial
from pathlib import Path

import numpy as np
import pytest

import pcqa.metrics.tcdm
from pcqa.cloud import Cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.tcdm import tcdm
from pcqa.metrics.tcdm_seeds import tcdm_seeds
from rankqa_datasets.errors import InputError

T = 1e-6
SEEDS = np.array([[-6.0, 0, 0.5], [5, 4, 0], [5, -4.5, 1], [90, 0, 0]])  # the last one has no points


def cloud(points, rgb, source=None):
    return Cloud(points, (np.asarray(rgb) / 255).astype(np.float32), source=source)


def sphere(number, radius=8.0):
    i = np.arange(float(number))
    z = 1 - (2 * i + 1) / number
    angle, ring = i * np.pi * (3 - np.sqrt(5)), np.sqrt(1 - z * z)
    return radius * np.stack((ring * np.cos(angle), ring * np.sin(angle), z), axis=1)


@pytest.fixture
def voxels():
    generator = np.random.default_rng(0)
    points = sphere(420)
    rgb = np.clip(128 + 90 * np.sin(points / 3) + generator.normal(size=points.shape) * 9, 0, 255).round()
    moved = (points + generator.normal(size=points.shape) / 3).round()[:-40]
    return cloud(points.round(), rgb), cloud(moved, np.clip(rgb + generator.normal(size=rgb.shape) * 20, 0, 255)[:-40])


def naive_rows(shape):
    rgb = np.floor(shape.colors.astype(np.float64) * 255 + 0.5)
    return np.array(sorted(map(tuple, np.hstack((shape.points, rgb)))))


def naive_nearest(points, query):
    distances = [np.sqrt(sum((point - query) ** 2)) for point in points]
    rows = sorted(range(len(points)), key=lambda row: (distances[row], row))[:21]
    return np.array(rows), np.array(distances)[rows]


def naive_prediction(targets, sources):
    position_design, color_design = [], []
    for target in targets:
        rows, distances = naive_nearest(sources[:, :3], target[:3])
        weights = 1 / (1 + np.exp(-distances[1:] / (np.mean(distances**2) + 0.001)))
        weights /= weights.sum()
        position_design.append((weights[:, None] * sources[rows[1:], :3]).ravel())
        color_design.append((weights[:, None] * sources[rows[1:], 3:]).ravel())
    predictions = []
    for design, wanted in ((position_design, targets[:, :3]), (color_design, targets[:, 3:])):
        design = np.array(design)
        largest = np.linalg.norm(design.T @ design, 2)
        threshold = 60 * np.spacing(np.float32(largest)) / largest
        predictions.append(design @ np.linalg.pinv(design.T @ design, rcond=threshold) @ design.T @ wanted)
    return np.hstack(predictions)


def naive(a, b, seeds):
    a, b = naive_rows(a), naive_rows(b)
    f1_position, f1_color, f2 = np.zeros(len(seeds)), np.zeros(len(seeds)), np.zeros(len(seeds))
    for i, seed in enumerate(seeds):
        patch_a, patch_b = (
            np.array([row for row in rows if np.argmin([np.linalg.norm(row[:3] - s) for s in seeds]) == i])
            for rows in (a, b)
        )
        if min(len(patch_a), len(patch_b)) < 21:
            continue
        patch_a, patch_b = patch_a - [*seed, 0, 0, 0], patch_b - [*seed, 0, 0, 0]
        from_a, from_b = naive_prediction(patch_a, patch_a), naive_prediction(patch_a, patch_b)
        for out, part in ((f1_position, slice(3)), (f1_color, slice(3, 6))):
            x, y = (
                np.linalg.det(np.mean([np.outer(r, r) for r in (patch_a - predicted)[:, part]], axis=0))
                for predicted in (from_a, from_b)
            )
            out[i] = (2 * x * y + T) / (x * x + y * y + T)
            energies = np.zeros((2, len(from_a), 20))
        for row, point in enumerate(from_a):
            near, _ = naive_nearest(from_a[:, :3], point[:3])
            for predicted, into in zip((from_a, from_b), energies, strict=True):
                for place, other in enumerate(near[1:]):
                    d = abs(predicted[other] - predicted[row])
                    into[row, place] = (d[3] + 2 * d[4] + d[5] + 1) * np.sqrt(sum(d[:3] ** 2))
        x, y = energies[0].ravel(), energies[1].ravel()
        covariance = sum((x - x.mean()) * (y - y.mean())) / (len(x) - 1)
        f2[i] = (covariance + T) / (x.std(ddof=1) * y.std(ddof=1) + T)
    return f1_position.mean() * f1_color.mean(), f2.mean()


def test_equals_loops_over_points(voxels):
    complexity, prediction = naive(voxels[0], voxels[1], SEEDS)
    result = tcdm(CloudPair(*voxels), seeds=SEEDS)
    assert result.complexity == pytest.approx(complexity, rel=1e-6)
    assert result.prediction == pytest.approx(prediction, rel=1e-6)
    assert result.similarity == pytest.approx(0.3 * complexity + 0.7 * prediction, rel=1e-6)
    assert result.skipped == 0.25
    assert 0.1 < result.similarity < 0.7


def test_a_cloud_with_itself(voxels):
    result = tcdm(CloudPair(voxels[0], voxels[0]), seeds=SEEDS[:3])
    assert result.skipped == 0
    assert (result.complexity, result.prediction) == pytest.approx((1, 1), abs=1e-12)
    with_empty_patch = tcdm(CloudPair(voxels[0], voxels[0]), seeds=SEEDS)
    assert with_empty_patch.complexity == pytest.approx(0.75**2)
    assert with_empty_patch.prediction == pytest.approx(0.75)


def test_more_noise_is_worse():
    generator = np.random.default_rng(1)
    points = sphere(2000, 30.0)
    rgb = 128 + 100 * np.sin(points / 9)
    noise = generator.normal(size=points.shape)
    values = [
        tcdm(CloudPair(cloud(points, rgb), cloud(points + size * noise, rgb)), seeds=SEEDS[:3]).similarity
        for size in (0, 0.1, 0.5, 2)
    ]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.6


def test_the_order_of_points_does_not_matter(voxels):
    generator = np.random.default_rng(1)
    orders = [generator.permutation(shape.num_points) for shape in voxels]
    shuffled = [Cloud(shape.points[order], shape.colors[order]) for shape, order in zip(voxels, orders, strict=True)]
    assert tcdm(CloudPair(*shuffled), seeds=SEEDS) == tcdm(CloudPair(*voxels), seeds=SEEDS)
    np.testing.assert_array_equal(tcdm_seeds(shuffled[0], count=9), tcdm_seeds(voxels[0], count=9))


def test_a_shift_of_clouds_and_seeds_does_not_matter(voxels):
    shift = np.array([1024.0, -256, 8])
    moved = CloudPair(*(Cloud(shape.points + shift, shape.colors) for shape in voxels))
    expected = tcdm(CloudPair(*voxels), seeds=SEEDS)
    assert tcdm(moved, seeds=SEEDS + shift) == expected


def test_one_sided_and_repeated_points_count(voxels):
    there = tcdm(CloudPair(*voxels), seeds=SEEDS).similarity
    assert abs(tcdm(CloudPair(*voxels[::-1]), seeds=SEEDS).similarity - there) > 1e-4
    reference, distorted = voxels
    twice = Cloud(np.vstack((distorted.points,) * 2), np.vstack((distorted.colors,) * 2))
    assert abs(tcdm(CloudPair(reference, twice), seeds=SEEDS).similarity - there) > 1e-4


def test_black_and_level_clouds_have_values():
    level = cloud(np.argwhere(np.ones((30, 20, 1))).astype(np.float64), np.zeros((600, 3)))
    above = cloud(level.points + np.array([0.0, 0, 3]), np.zeros((600, 3)))
    seeds = level.points[[100, 400]]
    assert tcdm(CloudPair(level, level), seeds=seeds).similarity == pytest.approx(1, abs=1e-12)
    assert np.isfinite(tcdm(CloudPair(level, above), seeds=seeds).similarity)


def test_a_distorted_cloud_with_too_few_points_everywhere_is_worst(voxels):
    few = Cloud(voxels[1].points[:20], voxels[1].colors[:20])
    result = tcdm(CloudPair(voxels[0], few), seeds=SEEDS)
    assert (result.similarity, result.skipped) == (0, 1)


def test_seeds_are_far_apart_and_follow_their_seed(voxels):
    seeds = tcdm_seeds(voxels[0], count=30, seed=3)
    np.testing.assert_array_equal(seeds, tcdm_seeds(voxels[0], count=30, seed=3))
    assert (seeds != tcdm_seeds(voxels[0], count=30, seed=4)).any()
    distances = np.linalg.norm(seeds[:, None] - seeds, axis=2) + 99 * np.eye(30)
    assert distances.min() > 2  # a sphere of radius 8 in 30 parts
    points = {tuple(point) for point in voxels[0].points}
    assert len({tuple(point) for point in seeds} & points) == 30


def test_large_clouds_draw_400_seeds_from_10000_points():
    points = np.random.default_rng(0).random((12_000, 3))
    assert tcdm_seeds(Cloud(points), seed=5).shape == (400, 3)


def test_default_seeds_are_drawn_by_seed(voxels, monkeypatch):
    monkeypatch.setattr(pcqa.metrics.tcdm, "tcdm_seeds", partial(tcdm_seeds, count=4))
    pair = CloudPair(*voxels)
    assert tcdm(pair, seed=5) == tcdm(pair, seeds=tcdm_seeds(voxels[0], count=4, seed=5))
    assert tcdm(pair) == tcdm(pair, seed=0) != tcdm(pair, seed=5)


def test_refuses_what_cannot_be_compared(voxels):
    reference, distorted = voxels
    pair = CloudPair(reference, distorted)
    with pytest.raises(InputError, match="cloud: TCDM compares colours"):
        tcdm(CloudPair(reference, Cloud(distorted.points)), seeds=SEEDS)
    with pytest.raises(InputError, match=r"cloud: expected at least as many different positions .*, got \d+ for 400"):
        tcdm(CloudPair(cloud(np.zeros((900, 3)), np.zeros((900, 3))), distorted))
    with pytest.raises(InputError, match=r"TCDM needs 21 points around a seed.*300 seeds is \d+; give fewer"):
        tcdm(pair, seeds=tcdm_seeds(reference, count=300))
    for seeds in (SEEDS[:0], SEEDS * np.nan):
        with pytest.raises(InputError, match=r"expected seeds of TCDM as \(L, 3\) finite positions"):
            tcdm(pair, seeds=seeds)
    far = Cloud(distorted.points * 1e30, distorted.colors, source=Path("far.ply"))
    with pytest.raises(InputError, match=r"far\.ply: TCDM takes coordinates up to 1e\+14, got"):
        tcdm(CloudPair(reference, far), seeds=SEEDS)
    with pytest.raises(InputError, match="as many different positions as TCDM's seeds"):
        tcdm_seeds(reference, count=0)
