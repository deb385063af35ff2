"""D1, D2 and colour against every number that pc_error 0.14.2 printed for the golden clouds."""

import json

import numpy as np
import pytest
from scipy.spatial import KDTree

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
