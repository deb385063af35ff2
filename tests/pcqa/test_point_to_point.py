import json
import math
from pathlib import Path

import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.io import read_cloud
from pcqa.metrics.point_to_point import d1
from rankqa_datasets.errors import InputError

PRINTED = {
    "mse_p2point": "mse",
    "psnr_p2point": "psnr",
    "hausdorff_p2point": "hausdorff",
    "hausdorff_psnr_p2point": "hausdorff_psnr",
}
DIRECTIONS = {"A_to_B": "_ab", "B_to_A": "_ba", "symmetric": ""}
SMALLEST = 2.22507386e-308  # what the program prints as the Hausdorff distance of equal clouds; 0 here

PAIRS = ["torus_noise", "torus_down", "torus_colour", "octree", "float", "duplicates", "ties", "identical"]


def printed(value: float) -> float:
    """The value as the program prints it: nine significant digits."""
    return float(f"{value:.9g}")


def check_against_golden(folder: Path, name: str) -> int:
    """Compares every D1 number of one pair; returns how many there were."""
    pair = json.loads((folder / "golden.json").read_text())["pairs"][name]
    reference, distorted = (read_cloud(folder / pair[key]) for key in ("reference", "distorted"))
    compared = 0
    for run in pair["runs"]:
        if run["program"] != "pc_error":
            continue
        options = dict(word[2:].split("=") for word in run["command"][1:])
        peak = float(options["resolution"]) if "resolution" in options else None
        result = d1(reference, distorted, peak=peak)
        expected = run["values"]
        assert printed(result.peak) == expected["peak"]
        for direction, suffix in DIRECTIONS.items():
            for key, field in PRINTED.items():
                if key in expected.get(direction, {}):
                    wanted = float(expected[direction][key])
                    wanted = 0.0 if wanted == SMALLEST else wanted
                    assert printed(getattr(result, field + suffix)) == wanted, (run["command"], direction, key)
                    compared += 1
    return compared


@pytest.mark.parametrize("name", PAIRS)
def test_equals_pc_error_to_every_printed_digit(shared_dir, name):
    assert check_against_golden(shared_dir / "golden/pointcloud", name) >= 60


def test_the_pairs_are_all_there_are(shared_dir):
    golden = json.loads((shared_dir / "golden/pointcloud/golden.json").read_text())
    assert sorted(golden["pairs"]) == sorted(PAIRS)


def naive(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    a, b = ([*{tuple(map(float, point)) for point in points}] for points in (a, b))
    squares = [min(sum((s - t) ** 2 for s, t in zip(p, q, strict=True)) for q in b) for p in a]
    return sum(squares) / len(squares), max(squares)


def test_equals_a_naive_loop_with_repeated_points():
    generator = np.random.default_rng(0)
    a = generator.integers(0, 8, (120, 3)).astype(np.float64)
    b = generator.integers(0, 8, (90, 3)).astype(np.float64) + 0.25
    result = d1(Cloud(a), Cloud(b), peak=7.0)
    (mse_ab, max_ab), (mse_ba, max_ba) = naive(a, b), naive(b, a)
    assert (result.mse_ab, result.mse_ba) == pytest.approx((mse_ab, mse_ba), rel=1e-12)
    assert (result.hausdorff_ab, result.hausdorff_ba) == (max_ab, max_ba)
    assert result.mse == max(result.mse_ab, result.mse_ba)
    assert result.hausdorff == max(max_ab, max_ba)
    assert result.psnr_ab == pytest.approx(10 * math.log10(3 * 49 / mse_ab))
    assert result.psnr == min(result.psnr_ab, result.psnr_ba)
    assert result.hausdorff_psnr == min(result.hausdorff_psnr_ab, result.hausdorff_psnr_ba)


def test_a_case_by_hand():
    a = Cloud(np.float32([[0, 0, 0], [0, 0, 0], [3, 0, 0], [3, 4, 0]]))
    b = Cloud(np.float32([[0, 0, 1], [3, 0, 0]]))
    result = d1(a, b)
    assert result.peak == 4  # the nearest neighbour of (3, 4, 0)
    assert (result.mse_ab, result.mse_ba) == pytest.approx(((1 + 0 + 16) / 3, 1 / 2))
    assert (result.hausdorff_ab, result.hausdorff_ba, result.hausdorff) == (16, 1, 16)
    assert result.hausdorff_psnr_ab == pytest.approx(10 * math.log10(3))


def test_equal_clouds_are_infinitely_good():
    cloud = Cloud(np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32))
    result = d1(cloud, Cloud(cloud.points[::-1].copy()))
    assert result.mse == result.hausdorff == 0
    assert result.psnr == result.hausdorff_psnr == math.inf


def test_refuses_a_missing_or_impossible_peak():
    single = Cloud(np.zeros((3, 3), np.float32), source=Path("one.ply"))
    with pytest.raises(InputError, match=r"one\.ply: no two points are more than 1e-05 apart.*give peak="):
        d1(single, single)
    assert d1(single, single, peak=1.0).mse == 0
    for peak in (0, -1, math.nan, math.inf):
        with pytest.raises(InputError, match="expected a positive, finite peak"):
            d1(single, single, peak=float(peak))
    with pytest.raises(InputError, match=r"within float32 \(3\.4e38\), got 1e\+300"):
        d1(Cloud(np.array([[1e300, 0, 0]])), single, peak=1.0)
