import math
import statistics
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.ms_point_ssim import WEIGHTS, ms_point_ssim
from pcqa.metrics.voxelization import guess_bits
from rankqa_datasets.errors import InputError


def naive_spreads(cloud: Cloud, bits: int, input_bits: int) -> dict[tuple[int, ...], float]:
    """Median absolute deviation of luma around each occupied voxel."""
    members: dict[tuple[int, ...], list[np.ndarray]] = {}
    for point, color in zip(cloud.points, np.floor(cloud.colors * 255.0 + 0.5), strict=True):
        voxel = tuple(math.floor(float(x) * 2.0 ** (bits - input_bits) + 0.5) for x in point)
        members.setdefault(voxel, []).append(color)
    luma = {}
    for voxel, colors in members.items():
        red, green, blue = (
            math.floor(sum(map(float, channel)) / len(colors) + 0.5) for channel in np.transpose(colors)
        )
        luma[voxel] = math.floor(0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.5)
    spreads = {}
    steps = [(0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]
    for voxel in luma:
        near = [tuple(x + dx for x, dx in zip(voxel, step, strict=True)) for step in steps]
        values = [luma[other] for other in near if other in luma]
        middle = statistics.median(values)
        spreads[voxel] = float(statistics.median(abs(value - middle) for value in values))
    return spreads


def naive_direction(x: dict, y: dict) -> float:
    places = np.array(sorted(y))
    found = []
    for voxel, own in x.items():
        # The first of equally near ones.
        nearest = places[int(np.argmin(np.square(places - voxel).sum(axis=1)))]
        other = y[tuple(int(value) for value in nearest)]
        found.append(1 - abs(own - other) / (max(own, other) + 2**-52))
    return statistics.mean(found)


def clouds(count: int = 1500, side: float = 200.0) -> tuple[Cloud, Cloud]:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, side, (2, count))
    points = np.stack([x, y, 0.1 * side * np.sin(6 * x / side)], axis=1)
    colors = rng.random((count, 3)).astype(np.float32)
    kept = count - 100
    moved = points[:kept] + rng.normal(0, side / 400, (kept, 3))
    recolored = np.clip(colors[:kept] + rng.normal(0, 0.2, (kept, 3)), 0, 1).astype(np.float32)
    return Cloud(points, colors), Cloud(moved, recolored)


@pytest.mark.parametrize("input_bits", [7, 8])
def test_equals_a_naive_loop(input_bits):
    a, b = clouds()
    directions = []
    for bits in WEIGHTS:
        spreads_a, spreads_b = naive_spreads(a, bits, input_bits), naive_spreads(b, bits, input_bits)
        directions.append((naive_direction(spreads_a, spreads_b), naive_direction(spreads_b, spreads_a)))
    scales = np.array(directions)
    weights = [0.789, 0.053, 0.070, 0.088]
    expected = (*(weights @ scales), weights @ scales.min(axis=1), *scales.min(axis=1))
    found = ms_point_ssim(CloudPair(a, b), input_bits=input_bits)
    assert astuple(found) == pytest.approx(expected, rel=1e-12)
    if input_bits == 8:
        assert ms_point_ssim(CloudPair(a, b)) == found  # a box of 200


def test_identity_order_and_swap():
    a, b = clouds()
    assert astuple(ms_point_ssim(CloudPair(a, a))) == pytest.approx((1,) * 7, rel=1e-15)
    expected = ms_point_ssim(CloudPair(a, b))
    order = np.random.default_rng(0).permutation(b.num_points)
    assert ms_point_ssim(CloudPair(a, Cloud(b.points[order], b.colors[order]))) == expected
    swapped = ms_point_ssim(CloudPair(b, a), input_bits=8)
    assert (swapped.similarity_ba, swapped.similarity_ab) == (expected.similarity_ab, expected.similarity_ba)
    assert swapped.similarity == expected.similarity
    assert expected.similarity <= min(expected.similarity_ab, expected.similarity_ba)


def test_moves_by_whole_voxels_of_the_coarsest_grid_change_nothing_others_do():
    a, b = clouds()
    expected = ms_point_ssim(CloudPair(a, b))
    whole, part = ([Cloud(c.points + step, c.colors) for c in (a, b)] for step in ([4.0, -8.0, 64.0], [1.3, 0.7, 0.2]))
    assert ms_point_ssim(CloudPair(*whole)) == expected
    assert ms_point_ssim(CloudPair(*part)) != expected


def test_points_given_twice_change_nothing():
    a, b = clouds()
    doubled = Cloud(np.concatenate([a.points] * 2), np.concatenate([a.colors] * 2))
    assert ms_point_ssim(CloudPair(doubled, b)) == ms_point_ssim(CloudPair(a, b))


def test_bits_are_guessed_with_some_slack():
    for side, bits in ((1023, 10), (1034, 10), (1035, 11), (522, 9), (523, 10), (12, 1)):
        assert guess_bits(Cloud(np.float64([[5, 0, 0], [5 + side, 3, 3]]))) == bits
    with pytest.raises(InputError, match=r"u\.ply: expected voxel coordinates .* longest side of 11; .*input_bits="):
        guess_bits(Cloud(np.float64([[0, 0, 0], [11, 3, 3]]), source=Path("u.ply")))


def test_one_point_and_huge_coordinates():
    a, b = clouds()
    single = Cloud(a.points[:1], a.colors[:1])
    assert ms_point_ssim(CloudPair(single, single), input_bits=8).similarity == pytest.approx(1, rel=1e-15)
    with pytest.raises(InputError, match="input_bits="):
        ms_point_ssim(CloudPair(single, single))
    grown = [Cloud(cloud.points * 2.0**90, cloud.colors) for cloud in (a, b)]
    assert ms_point_ssim(CloudPair(*grown), input_bits=98) == ms_point_ssim(CloudPair(a, b), input_bits=8)
    with pytest.raises(InputError, match=r"within 1e\+100"):
        ms_point_ssim(CloudPair(Cloud(a.points * 1e150, a.colors), b))
    with pytest.raises(InputError, match="MS-PointSSIM compares colours"):
        ms_point_ssim(CloudPair(a, Cloud(b.points)))
    coarse = [Cloud(cloud.points / 8, cloud.colors) for cloud in (a, b)]
    with pytest.raises(InputError, match="a grid of at least 6 bits, got 4"):
        ms_point_ssim(CloudPair(*coarse))
    with pytest.raises(InputError, match="from 1 to 400, got 401"):
        ms_point_ssim(CloudPair(a, b), input_bits=401)
