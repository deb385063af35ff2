"""D1, D2 and colour against every number that pc_error 0.14.2 printed for the golden clouds."""

import json

import numpy as np
import pytest
from scipy.spatial import KDTree

from pcqa.cloud import Cloud
from pcqa.io import read_cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.color_error import color_error
from pcqa.metrics.point_to_plane import d2
from pcqa.metrics.point_to_point import d1

# How many numbers there are for each pair: 3,694 in all.
PAIRS = {
    "torus_noise": 355,
    "torus_down": 355,
    "torus_colour": 599,
    "octree": 355,
    "float": 599,
    "duplicates": 477,
    "ties": 355,
    "identical": 599,
}
SUFFIXES = {"A_to_B": "_ab", "B_to_A": "_ba", "symmetric": ""}
# The program's key, the metric and its field.
FIELDS = {
    "mse_p2point": ("d1", "mse"),
    "psnr_p2point": ("d1", "psnr"),
    "hausdorff_p2point": ("d1", "hausdorff"),
    "hausdorff_psnr_p2point": ("d1", "hausdorff_psnr"),
    "mse_p2plane": ("d2", "mse"),
    "psnr_p2plane": ("d2", "psnr"),
    "hausdorff_p2plane": ("d2", "hausdorff"),
    "hausdorff_psnr_p2plane": ("d2", "hausdorff_psnr"),
    "color_mse": ("color", "mse"),
    "color_psnr": ("color", "psnr"),
    "color_hausdorff": ("color", "hausdorff"),
    "color_hausdorff_psnr": ("color", "hausdorff_psnr"),
}
SPACES = {"0": "rgb", "1": "ycbcr", "8": "ycocg"}
TIED = {"0": "first", "1": "average", "2": "weighted", "3": "closest", "4": "farthest"}
DUPLICATES = {"1": "first", "2": "average"}
SMALLEST = 2.2250738585072014e-308  # where the program's maxima start: printed for equal clouds, which have 0 here

# Printed by the program for the clouds of `formula_clouds`: cloud, options, (metric and field) -> number.
OWN_CASES = [
    (
        "voxels",
        "",
        {
            "d1 mse_ab": 1.20029455,
            "d1 hausdorff_ab": 5.0,
            "d2 mse_ab": 0.156847475,
            "d2 hausdorff_ab": 1.5625,
            "color mse_ab": (0.0584152808, 0.0494292563, 0.0548916508),
            "color hausdorff_ab": (58564.0, 59536.0, 59536.0),
            "d1 mse_ba": 1.15456238,
            "d1 hausdorff_ba": 3.0,
            "d2 mse_ba": 0.256354749,
            "d2 hausdorff_ba": 3.0625,
            "color mse_ba": (0.0595374625, 0.0521504618, 0.0500122154),
            "color hausdorff_ba": (58564.0, 57121.0, 59536.0),
            "d1 psnr": 10.9680342,
            "d2 psnr": 17.6724989,
            "d1 hausdorff_psnr": 4.77121255,
            "d2 hausdorff_psnr": 6.90015162,
            "color psnr": (12.2520968, 12.8274184, 12.6049371),
            "color hausdorff_psnr": (0.454496289, 0.383007082, 0.383007082),
        },
    ),
    (
        "voxels",
        "--resolution=31 --mseSpace=0 --neighborsProc=2",
        {
            "d1 mse_ab": 1.20029455,
            "d1 hausdorff_ab": 5.0,
            "d2 mse_ab": 0.156847475,
            "d2 hausdorff_ab": 1.5625,
            "color mse_ab": (7870.26362, 6890.05744, 8679.22533),
            "color hausdorff_ab": (58564.0, 59536.0, 59536.0),
            "d1 mse_ba": 1.15456238,
            "d1 hausdorff_ba": 3.0,
            "d2 mse_ba": 0.256354749,
            "d2 hausdorff_ba": 3.0625,
            "color mse_ba": (7122.04097, 6965.39479, 8402.13408),
            "color hausdorff_ba": (58564.0, 57121.0, 59536.0),
            "d1 psnr": 33.8055681,
            "d2 psnr": 40.5100328,
            "d1 hausdorff_psnr": 27.6087464,
            "d2 hausdorff_psnr": 29.7376855,
            "color psnr": (9.17091081, 9.70134624, 8.74599397),
            "color hausdorff_psnr": (0.454496289, 0.383007082, 0.383007082),
        },
    ),
    (
        "voxels",
        "--mseSpace=8 --dropdups=1",
        {
            "d1 mse_ab": 1.20029455,
            "d1 hausdorff_ab": 5.0,
            "d2 mse_ab": 0.156847475,
            "d2 hausdorff_ab": 1.5625,
            "color mse_ab": (2762.39912, 16070.109, 11671.7953),
            "color hausdorff_ab": (58564.0, 59536.0, 59536.0),
            "d1 mse_ba": 1.15456238,
            "d1 hausdorff_ba": 3.0,
            "d2 mse_ba": 0.256354749,
            "d2 hausdorff_ba": 3.0625,
            "color mse_ba": (2655.39479, 15450.0298, 11635.5084),
            "color hausdorff_ba": (58564.0, 57121.0, 59536.0),
            "d1 psnr": 10.9680342,
            "d2 psnr": 17.6724989,
            "d1 hausdorff_psnr": 4.77121255,
            "d2 hausdorff_psnr": 6.90015162,
            "color psnr": (13.7179393, 12.1082298, 13.4970414),
            "color hausdorff_psnr": (0.454496289, 0.383007082, 0.383007082),
        },
    ),
    (
        "fractions",
        "",
        {
            "d1 mse_ab": 0.817221418,
            "d1 hausdorff_ab": 3.62994385,
            "d2 mse_ab": 0.131642824,
            "d2 hausdorff_ab": 1.85853577,
            "color mse_ab": (0.0556851651, 0.0477089409, 0.045475122),
            "color hausdorff_ab": (58564.0, 63504.0, 59536.0),
            "d1 mse_ba": 0.711438642,
            "d1 hausdorff_ba": 1.41796875,
            "d2 mse_ba": 0.156417949,
            "d2 hausdorff_ba": 1.44750977,
            "color mse_ba": (0.0570513541, 0.0486492656, 0.0479363377),
            "color hausdorff_ba": (58564.0, 62500.0, 59536.0),
            "d1 psnr": 12.0401721,
            "d2 psnr": 19.2207036,
            "d1 hausdorff_psnr": 5.5645704,
            "d2 hausdorff_psnr": 8.47186024,
            "color psnr": (12.4373404, 13.1292371, 13.1933515),
            "color hausdorff_psnr": (0.454496289, 0.102792793, 0.383007082),
        },
    ),
    (
        "fractions",
        "--resolution=31 --mseSpace=0 --neighborsProc=2",
        {
            "d1 mse_ab": 0.817221418,
            "d1 hausdorff_ab": 3.62994385,
            "d2 mse_ab": 0.131642824,
            "d2 hausdorff_ab": 1.85853577,
            "color mse_ab": (6470.78857, 6400.02286, 8421.32571),
            "color hausdorff_ab": (58564.0, 63504.0, 59536.0),
            "d1 mse_ba": 0.711438642,
            "d1 hausdorff_ba": 1.41796875,
            "d2 mse_ba": 0.156417949,
            "d2 hausdorff_ba": 1.44750977,
            "color mse_ba": (6943.99286, 6623.47857, 7898.56429),
            "color hausdorff_ba": (58564.0, 62500.0, 59536.0),
            "d1 psnr": 35.475049,
            "d2 psnr": 42.6555806,
            "d1 hausdorff_psnr": 28.9994474,
            "d2 hausdorff_psnr": 31.9067372,
            "color psnr": (9.71471095, 9.91994225, 8.87699896),
            "color hausdorff_psnr": (0.454496289, 0.102792793, 0.383007082),
        },
    ),
    (
        "fractions",
        "--mseSpace=8 --dropdups=1",
        {
            "d1 mse_ab": 0.817221418,
            "d1 hausdorff_ab": 3.62994385,
            "d2 mse_ab": 0.131642824,
            "d2 hausdorff_ab": 1.85853577,
            "color mse_ab": (2558.17143, 14819.1086, 10049.92),
            "color hausdorff_ab": (58564.0, 63504.0, 59536.0),
            "d1 mse_ba": 0.711438642,
            "d1 hausdorff_ba": 1.41796875,
            "d2 mse_ba": 0.156417949,
            "d2 hausdorff_ba": 1.44750977,
            "color mse_ba": (2501.37143, 15070.0571, 10549.0),
            "color hausdorff_ba": (58564.0, 62500.0, 59536.0),
            "d1 psnr": 12.0401721,
            "d2 psnr": 19.2207036,
            "d1 hausdorff_psnr": 5.5645704,
            "d2 hausdorff_psnr": 8.47186024,
            "color psnr": (14.0515072, 12.387269, 13.9363051),
            "color hausdorff_psnr": (0.454496289, 0.102792793, 0.383007082),
        },
    ),
    (
        "fractions",
        "--neighborsProc=4 --averageNormals=0",
        {
            "d1 mse_ab": 0.817221418,
            "d1 hausdorff_ab": 3.62994385,
            "d2 mse_ab": 0.131642824,
            "d2 hausdorff_ab": 1.85853577,
            "color mse_ab": (0.0556851651, 0.0477089409, 0.045475122),
            "color hausdorff_ab": (58564.0, 63504.0, 59536.0),
            "d1 mse_ba": 0.711438642,
            "d1 hausdorff_ba": 1.41796875,
            "d2 mse_ba": 0.156417949,
            "d2 hausdorff_ba": 1.44750977,
            "color mse_ba": (0.0570513541, 0.0486492656, 0.0479363377),
            "color hausdorff_ba": (58564.0, 62500.0, 59536.0),
            "d1 psnr": 12.0401721,
            "d2 psnr": 19.2207036,
            "d1 hausdorff_psnr": 5.5645704,
            "d2 hausdorff_psnr": 8.47186024,
            "color psnr": (12.4373404, 13.1292371, 13.1933515),
            "color hausdorff_psnr": (0.454496289, 0.102792793, 0.383007082),
        },
    ),
]


def formula_clouds(name: str) -> tuple[Cloud, Cloud]:
    """Coloured voxels, some of them repeated, with normals of any length, and a moved copy; or off the grid."""
    n = np.arange(700)
    points = np.stack((37 * n % 23, 91 * n % 19, (n * n + 5 * n) % 13), axis=1)
    fractions = np.stack((n * n % 101, 3 * n * n % 89, 7 * n * n % 97), axis=1) / 128 * (name == "fractions")
    normals = np.stack((3 * n % 5 - 2, 5 * n % 7 - 3, n % 3 + 1), axis=1) / 4
    colors = np.stack((7 * n % 256, 11 * n % 256, 255 - 13 * n % 256), axis=1) / 255
    step = 0.6875 if name == "fractions" else 1
    moved = points + fractions + step * np.stack((n % 3 - 1, n // 3 % 3 - 1, n // 9 % 3 - 1), axis=1)
    kept = n % 5 != 0
    reference = [array.astype(np.float32) for array in (points + fractions, colors, normals)]
    distorted = [array[kept].astype(np.float32) for array in (moved, np.roll(colors, 2, axis=0))]
    return Cloud(*reference), Cloud(*distorted)


def printed(value: float) -> float:
    """The value as the program prints it: nine significant digits."""
    return float(f"{value:.9g}")


def as_written(value) -> list[float]:
    """One or three numbers of golden.json, with 0 and inf where the program prints its smallest number."""
    numbers = [float(number) for number in (value if isinstance(value, list) else [value])]
    return [0.0 if number == printed(SMALLEST) else number for number in numbers]


def run(pair: CloudPair, options: dict[str, str]) -> dict:
    peak = float(options["resolution"]) if "resolution" in options else None
    color = color_error(
        pair,
        space=SPACES[options.get("mseSpace", "1")],
        tied=TIED[options.get("neighborsProc", "1")],
        duplicates=DUPLICATES[options.get("dropdups", "2")],
    )
    plane = d2(pair, peak=peak, average_normals=options.get("averageNormals", "1") == "1")
    return {"d1": d1(pair, peak=peak), "d2": plane, "color": color}


@pytest.mark.parametrize(("name", "options", "wanted"), OWN_CASES)
def test_equals_pc_error_on_clouds_made_here(name, options, wanted):
    results = run(CloudPair(*formula_clouds(name)), dict(word[2:].split("=") for word in options.split()))
    for key, numbers in wanted.items():
        metric, field = key.split()
        ours = [printed(number) for number in np.ravel(getattr(results[metric], field))]
        assert ours == np.ravel(numbers).tolist(), key


@pytest.mark.parametrize("name", PAIRS)
def test_equals_pc_error_to_every_printed_digit(shared_dir, name):
    folder = shared_dir / "golden/pointcloud"
    golden = json.loads((folder / "golden.json").read_text())["pairs"][name]
    pair = CloudPair(*(read_cloud(folder / golden[key]) for key in ("reference", "distorted")))
    spacings = nearest_spacings(pair.merged_reference.points)
    compared = 0
    for printout in golden["runs"]:
        if printout["program"] != "pc_error":
            continue
        results = run(pair, dict(word[2:].split("=") for word in printout["command"][1:]))
        values = printout["values"]
        assert printed(results["d1"].peak) == printed(results["d2"].peak) == values["peak"]
        compared += 1
        if "nn_distance_max" in values:
            found = values["nn_distance_min"], values["nn_distance_max"]
            assert (printed(spacings.min()), printed(spacings.max())) == found
            compared += 2
        assert [len(pair.merged_reference), len(pair.merged_distorted)] == values["sizes"]
        for direction, suffix in SUFFIXES.items():
            for key, wanted in values.get(direction, {}).items():
                metric, field = FIELDS[key]
                ours = np.ravel(getattr(results[metric], field + suffix)).tolist()
                if "psnr" in key and results_are_equal(results[metric], field, suffix):
                    # Of the smallest number the program makes a PSNR of 3000 dB and more; ours of 0 is infinite.
                    ours = [w if o == np.inf and w > 3000 else o for o, w in zip(ours, as_written(wanted), strict=True)]
                assert [printed(number) for number in ours] == as_written(wanted), (printout["command"], direction, key)
                compared += len(ours)
    assert compared == PAIRS[name]


def test_the_pairs_are_all_there_are(shared_dir):
    golden = json.loads((shared_dir / "golden/pointcloud/golden.json").read_text())
    assert sorted(golden["pairs"]) == sorted(PAIRS)
    assert sum(PAIRS.values()) == 3694


def nearest_spacings(points: np.ndarray) -> np.ndarray:
    points = points.astype(np.float64)
    return KDTree(points).query(points, k=2)[0][:, 1]


def results_are_equal(result, field: str, suffix: str) -> bool:
    return field == "hausdorff_psnr" and 0 in np.ravel(getattr(result, "hausdorff" + suffix))
