import math
import statistics
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.dispersion import DISPERSIONS
from pcqa.metrics.feature_similarity import POOLINGS
from pcqa.metrics.point_ssim import ATTRIBUTES, point_ssim
from pcqa.metrics.quadric_fit import quadric_fit
from rankqa_datasets.errors import InputError


def quartile(values: list[float], share: float) -> float:
    """Sorted value i of n stands at (i - 1/2) / n, straight lines between, the ends beyond."""
    ordered, place = sorted(values), share * len(values) - 0.5
    if place <= 0 or place >= len(values) - 1:
        return ordered[0] if place <= 0 else ordered[-1]
    low = math.floor(place)
    return ordered[low] + (place - low) * (ordered[low + 1] - ordered[low])


def quartile_ratio(values: list[float]) -> float:
    low, high = quartile(values, 0.25), quartile(values, 0.75)
    return (high - low) / (high + low) if high + low else 0.0


NAIVE = {
    "STD": statistics.stdev,
    "VAR": statistics.variance,
    "MeanAD": lambda values: statistics.mean(abs(v - statistics.mean(values)) for v in values),
    "MedianAD": lambda values: statistics.median(abs(v - statistics.median(values)) for v in values),
    "COV": lambda values: statistics.stdev(values) / statistics.mean(values) if statistics.mean(values) else 0.0,
    "QCD": quartile_ratio,
    "Mean": statistics.mean,
}


def naive(a: Cloud, b: Cloud, attribute: str, dispersion: str, pooling: str, k: int) -> tuple[float, float, float]:
    """PointSSIM of clouds without duplicates and ties, one point after the other."""
    radius = math.floor(0.01 * np.ptp(a.points, axis=0).max() + 0.5)
    spreads = []
    for cloud in (a, b):
        luma = [
            math.floor(0.2126 * r + 0.7152 * g + 0.0722 * b + 0.5) for r, g, b in np.floor(cloud.colors * 255.0 + 0.5)
        ]
        normals, curvatures = quadric_fit(cloud.points, float(radius))
        spread = []
        for point, normal in zip(cloud.points, normals, strict=True):
            distances = np.linalg.norm(cloud.points - point, axis=1)
            near = np.argsort(distances, kind="stable")[:k]
            values = {
                "color": [luma[j] for j in near],
                "geometry": [distances[j] for j in near[1:]],
                "normal": [1 - 2 * math.acos(min(1.0, abs(normal @ normals[j]))) / math.pi for j in near[1:]],
                "curvature": [curvatures[j] for j in near],
            }[attribute]
            spread.append(NAIVE[dispersion]([float(value) for value in values]))
        spreads.append(spread)

    def direction(x: Cloud, y: Cloud, spread_x: list[float], spread_y: list[float]) -> float:
        found = []
        for point, own in zip(x.points, spread_x, strict=True):
            other = spread_y[int(np.argmin(np.linalg.norm(y.points - point, axis=1)))]
            found.append(1 - abs(own - other) / (max(abs(own), abs(other)) + 2**-52))
        if pooling == "Mean":
            return statistics.mean(found)
        square = statistics.mean(value**2 for value in found)
        return square if pooling == "MSE" else math.sqrt(square)

    ab, ba = direction(a, b, *spreads), direction(b, a, *spreads[::-1])
    return ab, ba, min(ab, ba)


def clouds(count: int = 150, seed: int = 0) -> tuple[Cloud, Cloud]:
    """A wavy surface in a box of 400, and a smaller, moved and recoloured copy."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 400, (2, count))
    points = np.stack([x, y, 20 * np.sin(x / 60) + y**2 / 900], axis=1)
    colors = rng.random((count, 3)).astype(np.float32)
    moved = points[: count - 20] + rng.normal(0, 3, (count - 20, 3))
    recolored = np.clip(colors[: count - 20] + rng.normal(0, 0.1, (count - 20, 3)), 0, 1).astype(np.float32)
    return Cloud(points, colors), Cloud(moved, recolored)


def voxels(seed: int = 0) -> tuple[Cloud, Cloud]:
    """Whole coordinates with many ties."""
    rng = np.random.default_rng(seed)
    a, b = (np.unique(np.round(cloud.points / 8), axis=0) for cloud in clouds(3000, seed))
    return Cloud(a, rng.random(a.shape).astype(np.float32)), Cloud(b, rng.random(b.shape).astype(np.float32))


def test_ties_go_to_the_first_in_order_as_in_matlab():
    a, b = voxels()
    a, b = (Cloud(cloud.points[:400], cloud.colors[:400]) for cloud in (a, b))  # sorted already
    found = point_ssim(CloudPair(a, b))
    assert astuple(found) == pytest.approx(naive(a, b, "color", "VAR", "Mean", 12), rel=1e-12)


@pytest.mark.parametrize("dispersion", DISPERSIONS)
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_equals_a_naive_loop(attribute, dispersion):
    a, b = clouds()
    # Radius 4 holds few points of 150; the surface is closer in a smaller box.
    a, b = (Cloud(cloud.points * [1, 0.1, 0.1], cloud.colors) for cloud in (a, b))
    found = point_ssim(CloudPair(a, b), attribute=attribute, dispersion=dispersion)
    assert astuple(found) == pytest.approx(naive(a, b, attribute, dispersion, "Mean", 12), rel=1e-7)  # arc cosine


@pytest.mark.parametrize("pooling", POOLINGS)
def test_poolings_and_neighbors_equal_a_naive_loop(pooling):
    a, b = clouds(seed=1)
    found = point_ssim(CloudPair(a, b), pooling=pooling, neighbors=5)
    assert astuple(found) == pytest.approx(naive(a, b, "color", "VAR", pooling, 5), rel=1e-12)


def test_numbers_of_a_case_by_formula():
    # Grey values 0, 60, 120, ... on a line; in the distorted cloud one of 3 points is white. Sets of three.
    points = np.stack([np.arange(5.0), np.zeros(5), np.zeros(5)], axis=1)
    points[:, 0] = [0, 1, 2.1, 3.3, 4.6]  # no ties
    grey = np.float32([0, 60, 120, 180, 240]) / 255
    white = grey.copy()
    white[2] = 1
    a, b = (Cloud(points, np.repeat(values[:, None], 3, axis=1)) for values in (grey, white))
    found = point_ssim(CloudPair(a, b), neighbors=3)
    # Neighbours: 012, 012, 123, 234, 234, in A all of variance 3600.
    variances = [np.var(values, ddof=1) for values in ([0, 60, 255], [60, 255, 180], [255, 180, 240])]
    ratios = [min(v, 3600) / max(v, 3600) for v in variances]
    expected = (2 * ratios[0] + ratios[1] + 2 * ratios[2]) / 5
    assert astuple(found) == pytest.approx((expected,) * 3, rel=1e-12)


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_a_cloud_with_itself_is_one(attribute):
    for cloud in (clouds()[0], voxels()[0]):
        for dispersion in DISPERSIONS:
            found = point_ssim(CloudPair(cloud, cloud), attribute=attribute, dispersion=dispersion, fit_radius=5.0)
            assert astuple(found) == (1, 1, 1)


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_order_of_points_and_clouds_and_whole_translations_change_no_bit(attribute):
    a, b = voxels()
    options = {"attribute": attribute, "fit_radius": 4.0}
    expected = point_ssim(CloudPair(a, b), **options)
    assert 0 < expected.similarity < 1
    rng = np.random.default_rng(3)
    shuffled = [
        Cloud(cloud.points[order], cloud.colors[order])
        for cloud, order in ((cloud, rng.permutation(cloud.num_points)) for cloud in (a, b))
    ]
    assert point_ssim(CloudPair(*shuffled), **options) == expected
    swapped = point_ssim(CloudPair(b, a), **options)
    assert (swapped.similarity_ba, swapped.similarity_ab) == (expected.similarity_ab, expected.similarity_ba)
    assert swapped.similarity == expected.similarity
    moved = [Cloud(cloud.points + np.float64([64, -128, 1024]), cloud.colors) for cloud in (a, b)]
    tolerance = 0 if attribute in ("color", "geometry") else 1e-7  # the fits round otherwise
    assert astuple(point_ssim(CloudPair(*moved), **options)) == pytest.approx(astuple(expected), abs=tolerance)


def test_equal_points_are_merged_with_their_mean_colour():
    a, b = clouds()
    colors = (np.floor(a.colors * 255 + 0.5) / 255).astype(np.float32)
    high, low = colors.copy(), colors.copy()
    usable = (np.abs(colors - 0.5) < 0.4).all(axis=1)
    high[usable] += np.float32(10 / 255)
    low[usable] -= np.float32(10 / 255)
    doubled = Cloud(np.concatenate([a.points] * 2), np.concatenate([high, low]))
    single = Cloud(a.points, colors)
    assert point_ssim(CloudPair(doubled, b)) == point_ssim(CloudPair(single, b))


def test_voxels_equal_a_cloud_rounded_by_hand():
    a, b = clouds(600)
    found = point_ssim(CloudPair(a, b), voxel_bits=7)  # a box of 400: 9 bits
    by_hand = [Cloud(np.floor(cloud.points / 4 + 0.5), cloud.colors) for cloud in (a, b)]
    assert found == point_ssim(CloudPair(*by_hand))
    assert found != point_ssim(CloudPair(a, b), voxel_bits=7, input_bits=10)
    fitted = point_ssim(CloudPair(a, b), voxel_bits=7, attribute="normal", fit_radius=6.0)
    assert fitted == point_ssim(CloudPair(*by_hand), attribute="normal", fit_radius=6.0)


def test_scale_changes_nothing():
    a, b = clouds()
    for attribute in ATTRIBUTES:
        expected = astuple(point_ssim(CloudPair(a, b), attribute=attribute, fit_radius=60.0))
        for factor in (1e-6, 1e30):
            scaled = [Cloud(cloud.points * factor, cloud.colors) for cloud in (a, b)]
            found = point_ssim(CloudPair(*scaled), attribute=attribute, fit_radius=60.0 * factor, dispersion="COV")
            same = point_ssim(CloudPair(a, b), attribute=attribute, fit_radius=60.0, dispersion="COV")
            assert astuple(found) == pytest.approx(astuple(same), rel=1e-6)
        assert 0 < expected[2] < 1


def test_a_plane_is_no_noise():
    x, y = (axis.reshape(-1).astype(float) for axis in np.mgrid[:30, :30])
    plane, tilted = (Cloud(np.stack([x, y, height], axis=1)) for height in (0 * x, x - y))
    for attribute in ("normal", "curvature"):
        assert point_ssim(CloudPair(plane, tilted), attribute=attribute, fit_radius=4.0).similarity == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attribute": "colour"}, "an attribute of color, geometry, normal, curvature, got 'colour'"),
        ({"dispersion": "var"}, "a dispersion of STD, VAR, .*got 'var'"),
        ({"pooling": "max"}, "a pooling of Mean, MSE, RMSE, got 'max'"),
        ({"neighbors": 2}, "at least 3 neighbors, got 2"),
        ({"neighbors": 500}, r"a\.ply: PointSSIM expected at least 500 distinct points, got 150"),
        ({"attribute": "normal", "fit_radius": -1.0}, r"a\.ply: expected a radius for fits between"),
        ({"voxel_bits": 0}, "bits of a voxel grid from 1 to 400, got 0"),
        ({"voxel_bits": 9, "input_bits": 5000}, "from 1 to 400, got 5000"),
    ],
)
def test_refuses_options(options, message):
    a, b = clouds()
    with pytest.raises(InputError, match=message):
        point_ssim(CloudPair(Cloud(a.points, a.colors, source=Path("a.ply")), b), **options)


def test_refuses_clouds():
    a, b = clouds()
    small, bare = (Cloud(points, source=Path("x.ply")) for points in (a.points / 1000, a.points))
    equal = Cloud(np.ones((40, 3)), a.colors[:40], source=Path("x.ply"))
    huge = Cloud(a.points * 1e200, a.colors, source=Path("x.ply"))
    for reference, options, message in (
        (bare, {}, "compares colours, and the cloud has none"),
        (equal, {}, "at least 12 distinct points, got 1"),
        (huge, {}, "coordinates within 1e\\+100"),
        (small, {"attribute": "normal"}, "give fit_radius="),
        (small, {"attribute": "geometry", "voxel_bits": 9}, "give input_bits="),
    ):
        with pytest.raises(InputError, match=rf"x\.ply: .*{message}"):
            point_ssim(CloudPair(reference, b), **options)


# geomSSIM (ssimAB, ssimBA) of a public port of the program, serkansatak/PointSSIM-Python, on the clouds below.
PORT = {
    "STD": (0.8892983674219257, 0.906989237281783),
    "VAR": (0.7986590768483075, 0.8282035844275023),
    "MeanAD": (0.8898808301016035, 0.8943658308400008),
    "MedianAD": (0.7678613108915384, 0.7833384576830998),
    "COV": (0.9183144378406364, 0.9170860006993141),
}


@pytest.mark.parametrize("dispersion", PORT)
def test_geometry_equals_a_port_of_the_program(dispersion):
    found = point_ssim(CloudPair(*spirals()), attribute="geometry", dispersion=dispersion)
    assert (found.similarity_ab, found.similarity_ba) == pytest.approx(PORT[dispersion], rel=1e-12)


def spirals() -> tuple[Cloud, Cloud]:
    """A bowl of 1,000 points on a sunflower's spiral, and 800 of them shaken, by formula."""
    i = np.arange(1000.0)
    radius, angle = 5 * np.sqrt(i), 2.4 * i
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle), radius**2 / 200], axis=1)
    shaken = points + 2 * np.stack([np.sin(7 * i), np.sin(11 * i), np.sin(13 * i)], axis=1)
    # Exact in a file of float32, through which they went.
    a, b = (np.round(cloud * 1024) / 1024 for cloud in (points, shaken[:800]))
    return Cloud(a), Cloud(b)
