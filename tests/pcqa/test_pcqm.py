import json
import math
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.io import read_cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.lab2000hl import TABLES, chroma_2000hl, lightness_2000hl
from pcqa.metrics.pcqm import Pcqm, pcqm
from rankqa_datasets.errors import InputError

PAIRS = ["torus_noise", "torus_down", "torus_colour", "octree", "float", "duplicates", "ties", "identical"]


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> Path:
    """A folder as the program's, of a plane that is none of anybody's: CIELAB's, turned, shrunk and bent."""
    folder = tmp_path_factory.mktemp("tables")
    a, b = np.mgrid[-128:129, -128:129] / 128
    planes = (40 * a + 5 * b - 4 * a * b, 38 * b - 6 * a**2 + 3 * a)
    for name, plane in zip(TABLES, planes, strict=True):
        np.savetxt(folder / name, plane.reshape(-1, 1), fmt="%.4f")
    return folder


@pytest.fixture
def program_tables() -> Path:
    """The program's own."""
    if "PCQM_RESOURCES" not in os.environ:
        pytest.skip("PCQM_RESOURCES does not name the folder resources of MEPP-team/PCQM")
    return Path(os.environ["PCQM_RESOURCES"])


def known(result: Pcqm) -> dict[str, float]:
    return {name: value for name, value in asdict(result).items() if value is not None}


@pytest.mark.parametrize("name", PAIRS)
def test_equals_the_program(shared_dir, name):
    check_against_the_program(shared_dir, name, None)


@pytest.mark.parametrize("name", PAIRS)
def test_chroma_and_hue_equal_the_programs(shared_dir, name, program_tables):
    check_against_the_program(shared_dir, name, program_tables)


def check_against_the_program(shared_dir: Path, name: str, chroma_tables: Path | None) -> None:
    """To one unit of the 6th digit, also below six neighbours; within the program's own spread where it has one."""
    folder = shared_dir / "golden/pointcloud"
    described = json.loads((folder / "golden.json").read_text())["pairs"][name]
    pair = CloudPair(read_cloud(folder / described["reference"]), read_cloud(folder / described["distorted"]))
    runs = [run for run in described["runs"] if run["program"] == "PCQM"]
    assert len(runs) == 2
    for run in runs:
        _, _, _, _, radius, _, neighbors, _, factor = run["command"]
        options = {"radius": float(radius), "neighbors": int(neighbors), "radius_factor": float(factor)}
        result = known(pcqm(pair, **options, chroma_tables=chroma_tables))
        assert len(run["values"]) == 9
        assert len(result) == (7 if chroma_tables is None else 9)
        for key, printed in run["values"].items():
            if key.lower() not in result:
                continue
            low, high = run["spread"].get(key, (printed, printed))
            unit = 10 ** (math.floor(math.log10(printed)) - 5) if printed > 1e-12 else 1e-12
            margin = max(high - low, unit)
            assert low - margin <= result[key.lower()] <= high + margin, (radius, key)


def bumpy(size: int, *, noise: float, seed: int) -> Cloud:
    """A wavy sheet with irrational steps, so that nothing is tied."""
    u, v = np.divmod(np.arange(size * size), size)
    x, y = u + 0.31 * np.sin(u * 7.1 + v * 3.3), v + 0.29 * np.cos(u * 2.9 - v * 5.7)
    z = 3 * np.sin(x / 5) * np.cos(y / 4)
    wobble = np.random.default_rng(seed).standard_normal((6, size * size))
    points = np.column_stack([x, y, z]) + noise * wobble[:3].T + 2.0
    shades = [0.5 + 0.3 * np.sin(x / 3), 0.5 + 0.3 * np.cos(y / 2), 0.5 + 0.2 * np.sin((x + y) / 4)]
    colors = np.column_stack(shades) + 0.3 * noise * wobble[3:].T
    return Cloud(points.astype(np.float32), (np.rint(colors.clip(0, 1) * 255) / 255).astype(np.float32))


@pytest.fixture(scope="module")
def sheets() -> CloudPair:
    return CloudPair(bumpy(24, noise=0.0, seed=0), bumpy(24, noise=0.15, seed=1))


# Printed by the program for `sheets`, written as float32 and uchar.
PROGRAM = {
    (0.004, 20, 2.0): (0, 0, 0, 0.0125769, 0, 0, 0.0182575, 0.115555, 0.0122889),
    (0.05, 20, 2.0): (
        0.689538,
        0.737119,
        0.664471,
        0.00112533,
        0.00940915,
        0.0738706,
        0.00234103,
        0.0963419,
        0.00615762,
    ),
    (0.1, 20, 2.0): (
        0.135791,
        0.154269,
        0.219858,
        0.000306183,
        0.000479188,
        0.0255575,
        0.000940159,
        0.0919968,
        0.00199195,
    ),
    (0.1, 8, 1.5): (0.147541, 0.186547, 0.21467, 0.000578315, 0.00151721, 0.0366482, 0.00140013, 0.0937221, 0.00241904),
}


@pytest.mark.parametrize("options", PROGRAM)
def test_equals_the_program_on_a_sheet(sheets, options):
    radius, neighbors, factor = options
    result = asdict(pcqm(sheets, radius=radius, neighbors=neighbors, radius_factor=factor))
    for value, printed in zip((*list(result.values())[1:], result["pcqm"]), PROGRAM[options], strict=True):
        if value is None:
            continue
        unit = 10 ** (math.floor(math.log10(printed)) - 5) if printed else 1e-12
        assert value == pytest.approx(printed, abs=unit)


def naive(pair: CloudPair, radius: float, neighbors: int, factor: float, tables: Path) -> list[float]:
    """F1 to F8 and PCQM as the paper and the program define them, point by point."""
    a, b = (cloud.points.astype(float) for cloud in (pair.reference, pair.distorted))
    size = max(abs(a.min(axis=0)) + abs(a.max(axis=0)))
    lab = []
    for cloud in (pair.reference, pair.distorted):
        assert cloud.colors is not None
        rgb = np.rint(cloud.colors * 255).astype(np.uint8)
        lab.append(np.column_stack([lightness_2000hl(rgb), chroma_2000hl(rgb, tables)]))

    def fit(origin, neighbours):
        _, axes = np.linalg.eigh(np.cov(neighbours.T, bias=True))
        z, y, x = ((neighbours - origin) @ axes).T
        matrix = np.column_stack([x * x, y * y, x * y, x, y, np.ones(len(x))])
        p, q, c, d, e, f = np.linalg.lstsq(matrix, z, rcond=None)[0]
        bend = (1 + d * d) * 2 * q + (1 + e * e) * 2 * p - 2 * c * d * e
        return abs(0.5 * bend / (1 + d * d + e * e) ** 1.5) * size, origin + f * axes[:, 0]

    curvature_a, curvature_b, projected, counterpart = [], [], [], []
    for origin in a:
        to_a, to_b = (np.linalg.norm(points - origin, axis=1) for points in (a, b))
        curvature_a.append(fit(origin, a[to_a < radius * size])[0])
        curvature_b.append(fit(origin, b[to_b < radius * size])[0])
        near = np.argsort(to_b)[:neighbors]
        foot = fit(origin, b[near])[1]
        projected.append(foot if np.linalg.norm(foot - origin) <= to_b[near[0]] else b[near[0]])
        counterpart.append(near[0])
    curvature_a, curvature_b, projected = (np.array(values) for values in (curvature_a, curvature_b, projected))
    one, two = lab[0], lab[1][counterpart]
    chroma_one, chroma_two = (np.hypot(colors[:, 1], colors[:, 2]) for colors in (one, two))
    hue = np.sqrt(np.maximum(((one - two)[:, 1:] ** 2).sum(axis=1) - (chroma_one - chroma_two) ** 2, 0))
    features = []
    for i, origin in enumerate(a):
        reach = radius * size * factor
        distances = np.linalg.norm(a - origin, axis=1)
        near = distances < reach
        w = np.exp(-(distances[near] ** 2) / 2 / (reach / 2) ** 2)
        v = np.exp(-(np.linalg.norm(projected[near] - projected[i], axis=1) ** 2) / 2 / (reach / 2) ** 2)
        w, v = w / w.sum(), v / v.sum()

        def moments(first, second, w=w, v=v, near=near):
            mu1, mu2 = w @ first[near], v @ second[near]
            sd1, sd2 = np.sqrt(w @ (first[near] - mu1) ** 2), np.sqrt(v @ (second[near] - mu2) ** 2)
            return mu1, mu2, sd1, sd2, w @ ((first[near] - mu1) * (second[near] - mu2))

        mu1, mu2, sd1, sd2, covariance = moments(curvature_a, curvature_b)
        l1, l2, c1, c2, _ = moments(one[:, 0], two[:, 0])
        plain = np.cov(one[near, 0], two[near, 0], bias=True)
        s1, s2 = np.sqrt(np.diag(plain))
        features.append(
            [
                abs(mu1 - mu2) / (max(mu1, mu2) + 1),
                abs(sd1 - sd2) / (max(sd1, sd2) + 1),
                min(1, abs(sd1 * sd2 - covariance) / (sd1 * sd2 + 1)),
                1 - 1 / (1 + 0.002 * (l1 - l2) ** 2),
                1 - (2 * c1 * c2 + 0.1) / (c1**2 + c2**2 + 0.1),
                1 - (plain[0, 1] + 0.1) / (s1 * s2 + 0.1),
                1 - 1 / (1 + 0.002 * (w @ chroma_one[near] - v @ chroma_two[near]) ** 2),
                1 - 1 / (1 + 0.008 * (w @ hue[near]) ** 2),
            ]
        )
    means = np.mean(features, axis=0)
    return [0.0057 * means[2] + 0.9771 * means[3] + 0.0172 * means[5], *means]


@pytest.mark.parametrize(("neighbors", "factor"), [(20, 2.0), (12, 0.7), (9, 3.5)])
def test_equals_the_formulas_in_a_loop(sheets, tables, neighbors, factor):
    result = pcqm(sheets, radius=0.1, neighbors=neighbors, radius_factor=factor, chroma_tables=tables)
    expected = naive(sheets, 0.1, neighbors, factor, tables)
    np.testing.assert_allclose(list(asdict(result).values()), expected, rtol=1e-9)


def voxels(seed: int) -> Cloud:
    generator = np.random.default_rng(seed)
    points = generator.integers(0, 12, (700, 3)).astype(np.float64)
    return Cloud(points, (generator.integers(0, 256, (700, 3)) / 255).astype(np.float32))


def shuffled(cloud: Cloud) -> Cloud:
    order = np.random.default_rng(9).permutation(cloud.num_points)
    assert cloud.colors is not None
    return Cloud(cloud.points[order], cloud.colors[order])


def test_the_order_of_rows_does_not_matter_even_with_ties_and_repeated_points():
    reference, distorted = voxels(0), voxels(1)
    expected = pcqm(CloudPair(reference, distorted), radius=0.1)
    assert pcqm(CloudPair(shuffled(reference), shuffled(distorted)), radius=0.1) == expected


def test_a_cloud_with_itself_is_zero():
    for cloud in (voxels(0), bumpy(20, noise=0.1, seed=3)):
        result = pcqm(CloudPair(cloud, shuffled(cloud)), radius=0.1)
        moved = Cloud(cloud.points[::-1], cloud.colors)
        values = known(result)
        if len(np.unique(cloud.points, axis=0)) == cloud.num_points:
            np.testing.assert_allclose(list(values.values()), 0, atol=1e-12)
        else:  # a repeated point takes the colour of the first of its equals
            assert values["f1"] < 1e-12
            assert values["f4"] > 0
        assert pcqm(CloudPair(cloud, moved), radius=0.1).pcqm > 0.01


def test_one_sided_and_worse_with_noise(sheets):
    forth, back = pcqm(sheets, radius=0.1), pcqm(CloudPair(sheets.distorted, sheets.reference), radius=0.1)
    assert forth.pcqm != back.pcqm
    worse = pcqm(CloudPair(sheets.reference, bumpy(24, noise=0.4, seed=1)), radius=0.1)
    assert worse.pcqm > 1.5 * forth.pcqm


def test_the_unit_does_not_matter_but_the_place_does(sheets):
    def moved(cloud: Cloud, scale: float, shift: float) -> Cloud:
        return Cloud(cloud.points * np.float32(scale) + np.float32(shift), cloud.colors)

    def values(scale: float, shift: float) -> list[float]:
        pair = CloudPair(moved(sheets.reference, scale, shift), moved(sheets.distorted, scale, shift))
        return list(known(pcqm(pair, radius=0.1)).values())

    np.testing.assert_allclose(values(2.0**60, 0.0), values(1.0, 0.0), rtol=1e-9)
    np.testing.assert_allclose(values(2.0**-60, 0.0), values(1.0, 0.0), rtol=1e-9)
    assert abs(values(1.0, 64.0)[0] - values(1.0, 0.0)[0]) > 1e-4


def test_an_axis_below_zero_counts_its_minimum_alone(sheets, tables):
    """Features of colour depend on the length of the radius alone: that is 3 here, if M is what it should be."""

    def colour(shift: float, size: float) -> list[float | None]:
        moved = (Cloud(cloud.points.astype(np.float64) + shift, cloud.colors) for cloud in (reference, distorted))
        result = pcqm(CloudPair(*moved), radius=3.0 / size, chroma_tables=tables)
        return [result.f4, result.f5, result.f6, result.f7, result.f8]

    reference, distorted = sheets.reference, sheets.distorted
    lows, highs = reference.points.min(axis=0).astype(float), reference.points.max(axis=0).astype(float)
    assert highs.max() < 64
    below_zero, above_zero = float((64 - lows).max()), float((lows + highs).max() + 128)
    np.testing.assert_allclose(colour(-64.0, below_zero), colour(64.0, above_zero), rtol=1e-9)


@pytest.mark.parametrize("points", [[[1.0, 2.0, 3.0]], [[5.0, 5.0, 5.0]] * 30, [[1e30, 0.0, 0.0], [0.0, -1e30, 7.0]]])
def test_few_equal_and_huge_points_give_numbers(points):
    generator = np.random.default_rng(0)
    few = Cloud(np.array(points), generator.random((len(points), 3)).astype(np.float32))
    many = voxels(2)
    for pair in (CloudPair(few, many), CloudPair(many, few), CloudPair(few, few)):
        result = pcqm(pair)
        assert isinstance(result, Pcqm)
        assert np.isfinite(list(known(result).values())).all()


@pytest.mark.parametrize(
    ("points", "options", "message"),
    [
        (
            [[0.0, 0.0, 0.0]] * 3,
            {},
            "cloud: all points lie at the origin: PCQM has no unit",
        ),
        ([[1e70, 0.0, 0.0]], {}, "cloud: PCQM expected coordinates up to 1e.60, got 1e.70"),
        ([[1e-70, 0.0, 0.0]], {}, "cloud: PCQM expected coordinates above 1e-60, got 2e-70"),
        ([[1.0, 0.0, 0.0]], {"radius": 0.0}, "radius of 1e-6 or more, a fraction of the cloud's size, got 0"),
        ([[1.0, 0.0, 0.0]], {"neighbors": 0}, "neighbors of 1 or more, got 0"),
        ([[1.0, 0.0, 0.0]], {"radius_factor": -1.0}, "radius_factor above 0, up to 100, got -1"),
    ],
)
def test_bad_input_is_one_line(points, options, message):
    bad = Cloud(np.array(points), np.zeros((len(points), 3), np.float32))
    with pytest.raises(InputError, match=message):
        pcqm(CloudPair(bad, voxels(0)), **options)


def test_colours_are_needed():
    with pytest.raises(InputError, match="PCQM compares colours"):
        pcqm(CloudPair(voxels(0), Cloud(np.ones((3, 3)))))
