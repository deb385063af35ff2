import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.io import read_cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.point_to_distribution import point_to_distribution
from rankqa_datasets.errors import InputError

PAIRS = ["torus_noise", "torus_down", "torus_colour", "octree", "float", "duplicates", "ties", "identical"]
SUFFIXES = {"A_to_B": "_ab", "B_to_A": "_ba", "symmetric": ""}
FIELDS = {"mmd_geometry": "geometry", "mmd_color": "color", "mmd_joint": "joint"}


def agrees(ours: float, printed: float, spread: list[float] | None) -> bool:
    """Within one unit of the sixth digit, or within the documented range of one that the order of a tree decides."""
    if spread is None:
        return abs(ours - printed) <= 10.0 ** (math.floor(math.log10(abs(printed))) - 5) if printed else ours < 1e-12
    low, high = spread
    return low - (high - low) <= ours <= high + (high - low)


@pytest.mark.parametrize("name", PAIRS)
def test_equals_the_program_within_its_spread(shared_dir, name):
    folder = shared_dir / "golden/pointcloud"
    golden = json.loads((folder / "golden.json").read_text())["pairs"][name]
    pair = CloudPair(*(read_cloud(folder / golden[key]) for key in ("reference", "distorted")))
    wrong = []
    for run in golden["runs"]:
        if run["program"] != "point_to_distribution":
            continue
        options = dict(word[2:].split("=") for word in run["command"][1:])
        result = asdict(point_to_distribution(pair, neighbors=int(options["distSize"])))
        for direction, suffix in SUFFIXES.items():
            for key, printed in run["values"][direction].items():
                log = "_log" * key.endswith("_log")
                if key.startswith("skipped"):
                    percent = 100 * result["skipped" + suffix]
                    ours = percent if "percent" in key else percent * run["values"]["sizes"][suffix == "_ba"] / 100
                else:
                    ours = result[FIELDS[key.removesuffix("_log")] + log + suffix]
                for place, (mine, theirs) in enumerate(zip(np.ravel(ours), np.ravel(printed), strict=True)):
                    where = f"{direction}.{key}" + f".{place}" * isinstance(printed, list)
                    spread = run["spread"].get(where)
                    if not agrees(mine, float(theirs), spread):
                        wrong.append((options["distSize"], where, mine, theirs, spread))
    assert not wrong


def naive(a: Cloud, b: Cloud, k: int) -> tuple[list[float], int]:
    """Distances of geometry by the formula, for clouds without ties, and how many were filled in."""
    points_a, points_b = a.points.astype(np.float32).astype(float), b.points.astype(np.float32).astype(float)
    found, nearest = [], []
    for point in points_a:
        squares = np.square(points_b - point).sum(axis=1)
        around = points_b[np.argsort(squares)[:k]]
        covariance = np.cov(around.T, bias=True)
        difference = point - around.mean(axis=0)
        regular = np.linalg.det(covariance) >= 1e-6
        found.append(math.sqrt(difference @ np.linalg.solve(covariance, difference)) if regular else math.nan)
        nearest.append(math.sqrt(squares.min()))
    low, high = np.nanmin(found), np.nanmax(found)
    shares = (np.array(nearest) - min(nearest)) / (max(nearest) - min(nearest))
    filled = np.where(np.isnan(found), shares * (high - low) + low, found)
    return filled.tolist(), int(np.isnan(found).sum())


def test_equals_a_naive_loop_with_flat_neighbourhoods():
    rng = np.random.default_rng(0)
    a = Cloud(np.concatenate((rng.normal(size=(60, 3)), rng.normal(size=(40, 3)) * [1, 1, 0] + [50, 0, 0])))
    b = Cloud(a.points + rng.normal(size=(100, 3)) * [0.1, 0.1, 0])
    result = point_to_distribution(CloudPair(a, b), neighbors=8)
    (ab, skipped_ab), (ba, skipped_ba) = naive(a, b, 8), naive(b, a, 8)
    assert 0 < skipped_ab < 100
    assert (result.skipped_ab, result.skipped_ba) == (skipped_ab / 100, skipped_ba / 100)
    assert (result.geometry_ab, result.geometry_ba) == pytest.approx((np.mean(ab), np.mean(ba)), rel=1e-9)
    assert result.geometry == max(result.geometry_ab, result.geometry_ba)
    assert result.geometry_log == pytest.approx(10 * math.log10(1 + 1 / result.geometry))
    assert result.color is result.joint is result.joint_log is None


def colored(seed: int, levels: int = 256) -> Cloud:
    rng = np.random.default_rng(seed)
    colors = rng.integers(0, levels, (80, 3)) / 255
    return Cloud(3 * rng.random((80, 3)), colors.astype(np.float32))


def luma(cloud: Cloud) -> np.ndarray:
    assert cloud.colors is not None
    return (cloud.colors * 255).round() @ np.array([0.2126, 0.7152, 0.0722]) / 255


def test_luma_equals_a_naive_loop_and_joint_is_the_mean():
    a, b = colored(0), colored(1)
    result = point_to_distribution(CloudPair(a, b), neighbors=10)
    values = []
    for point, own in zip(a.points, luma(a), strict=True):
        around = luma(b)[np.argsort(np.square(b.points - point).sum(axis=1))[:10]]
        values.append(abs(own - around.mean()) / around.std())
    assert result.color_ab is not None
    assert result.color_ab[0] == pytest.approx(np.mean(values), rel=1e-5)
    assert result.joint_ab == pytest.approx((result.geometry_ab + result.color_ab[0]) / 2)


def test_colours_that_do_not_vary_give_zero_or_one():
    shape = colored(0).points
    grey, white = (Cloud(shape, np.full((80, 3), value, np.float32)) for value in (0.4, 1.0))
    assert point_to_distribution(CloudPair(grey, grey)).color == (0, 0, 0)
    result = point_to_distribution(CloudPair(grey, white))
    assert result.color is not None
    assert result.color[0] == 1


def test_a_cloud_with_itself_is_not_zero():
    same = colored(0)
    result = point_to_distribution(CloudPair(same, same))
    assert result.geometry_ab == result.geometry_ba > 0.1


def test_points_may_be_reordered_moved_repeated_and_the_clouds_exchanged():
    rng = np.random.default_rng(0)
    # Voxels: many are equally far, and which of them count is settled by their place in the sorted cloud.
    a, b = (np.unique(rng.integers(0, 7, (150, 3)), axis=0).astype(np.float32) for _ in range(2))
    result = point_to_distribution(CloudPair(Cloud(a), Cloud(b)), neighbors=12)
    shuffled = Cloud(rng.permutation(np.tile(a, (2, 1)))), Cloud(rng.permutation(b))
    assert point_to_distribution(CloudPair(*shuffled), neighbors=12) == result
    shift = np.array([16, -32, 8], np.float32)
    moved = point_to_distribution(CloudPair(Cloud(a + shift), Cloud(b + shift)), neighbors=12)
    assert (moved.geometry_ab, moved.geometry_ba) == pytest.approx((result.geometry_ab, result.geometry_ba), rel=1e-9)
    swapped = point_to_distribution(CloudPair(Cloud(b), Cloud(a)), neighbors=12)
    assert (swapped.geometry_ab, swapped.geometry) == (result.geometry_ba, result.geometry)


def test_refuses_what_it_cannot_measure():
    good, few = colored(0), Cloud(np.eye(3), source=Path("few.ply"))
    with pytest.raises(InputError, match=r"few\.ply: P2D takes 31 neighbors, and the cloud has 3 points"):
        point_to_distribution(CloudPair(good, few))
    with pytest.raises(InputError, match="4 neighbors or more"):
        point_to_distribution(CloudPair(good, good), neighbors=3)
    flat = Cloud(np.pad(np.random.default_rng(0).random((50, 2)), ((0, 0), (0, 1))), source=Path("flat.ply"))
    with pytest.raises(InputError, match=r"flat\.ply: P2D finds this cloud flat"):
        point_to_distribution(CloudPair(good, flat))
    # Around every point the same distance: what is filled in is the least.
    far = Cloud(good.points + 1e30)
    with pytest.raises(InputError, match="P2D takes 31 neighbors"):
        point_to_distribution(CloudPair(good, far))


def test_equals_the_program_on_clouds_made_here():
    n = np.arange(700)
    fractions = np.stack((n * n % 101, 3 * n * n % 89, 7 * n * n % 97), axis=1) / 128
    points = np.stack((37 * n % 23, 91 * n % 19, (n * n + 5 * n) % 13), axis=1) + fractions
    colors = np.stack((7 * n % 256, 11 * n % 256, 255 - 13 * n % 256), axis=1).astype(np.float32) / np.float32(255)
    moved = points + 0.6875 * np.stack((n % 3 - 1, n // 3 % 3 - 1, n // 9 % 3 - 1), axis=1)
    kept = n % 5 != 0
    pair = CloudPair(Cloud(points, colors), Cloud(moved[kept], np.roll(colors, 2, axis=0)[kept]))
    printed = {
        31: ((0.891607, 1.02282), (0.871225, 0.823606, 0.836682), (0.871146, 0.823931, 0.840939), (0.946981, 3.1302)),
        15: ((0.890369, 1.33713), (0.885339, 0.862675, 0.849841), (0.862873, 0.85097, 0.828977), (1.1, 2.80827)),
    }
    for neighbors, (geometry, color_ab, color_ba, joint) in printed.items():
        result = point_to_distribution(pair, neighbors=neighbors)
        assert result.skipped_ab == result.skipped_ba == 0
        assert (result.geometry_ab, result.geometry_ba) == pytest.approx(geometry, rel=1e-5)
        assert (result.color_ab, result.color_ba) == (
            pytest.approx(color_ab, rel=1e-5),
            pytest.approx(color_ba, rel=1e-5),
        )
        assert (result.joint, result.joint_log) == pytest.approx(joint, rel=1e-5)
